"""A parsed HTTP request and a reply. Header names are lower-case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Created once, because json.dumps with separators creates an encoder per call.
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(slots=True)
class Request:
    """A client's request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def json_reply(status: int, value: Any) -> Reply:
    """Return a JSON reply."""
    return Reply(status, _encode(value).encode())
