"""The requests of the API, as values. Pure.

A call with an `idempotency_key` may change something. All its tries have the same method, path and bytes.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

Times = datetime | str | None
"""A time: a datetime with an offset, or the text of RFC 3339."""

MOST_WAIT_SECONDS: Final = 30
_JSON: Final = "application/json"
_STRUCTURED: Final = "application/cloudevents+json"
_DOTS: Final = {".": "%2E", "..": "%2E%2E"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `message_id` is set for a CloudEvent, which may be signed."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)
    content_type: str = _JSON
    idempotency_key: str | None = None
    message_id: str | None = None

    @property
    def target(self) -> str:
        """The path with the query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    def headers(self) -> dict[str, str]:
        """Return the headers that do not depend on the try."""
        headers = {"accept": "application/json, application/problem+json"}
        if self.body is not None:
            headers["content-type"] = self.content_type
        if self.idempotency_key is not None and self.message_id is None:
            headers["idempotency-key"] = _quoted(self.idempotency_key)
        return headers


def new_key() -> str:
    """Return a new Idempotency-Key."""
    return str(uuid.uuid4())


def read(path: str, query: Mapping[str, Any] | None = None) -> Call:
    """Return a GET. Values of None are left out; `metadata` becomes one parameter for each pair."""
    return Call("GET", path, tuple(_pairs(query or {})))


def post(path: str, body: Mapping[str, Any], key: str | None) -> Call:
    """Return a POST with a key: the given one, or a new one. Members of None are left out."""
    return Call("POST", path, body=_encoded(body), idempotency_key=new_key() if key is None else _checked(key))


def event(kind: str, authorization_id: str, data: Mapping[str, Any], *, source: str, event_id: str | None) -> Call:
    """Return a command as a structured CloudEvent. `source` and `event_id` are its key."""
    event_id = new_key() if event_id is None else _checked(event_id)
    document = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": kind,
        "subject": authorization_id,
        "datacontenttype": _JSON,
        "data": dict(data),
    }
    return Call(
        "POST",
        "/v1/commands",
        body=json.dumps(document).encode(),
        content_type=_STRUCTURED,
        idempotency_key=event_id,
        message_id=event_id,
    )


def path_of(*segments: str) -> str:
    """Return a path below /v1, each segment quoted."""
    return "/v1/" + "/".join(_DOTS.get(segment) or quote(segment, safe="") for segment in segments)


def prefer_wait(seconds: float) -> dict[str, str]:
    """Return the Prefer header for a wait, at most what the gateway allows; nothing for less than a second."""
    whole = min(MOST_WAIT_SECONDS, int(seconds))
    return {"prefer": f"wait={whole}"} if whole >= 1 else {}


def time_text(time: Times) -> str | None:
    """Return a time as the API reads it. Raises ValueError for a time without an offset."""
    if not isinstance(time, datetime):
        return time
    if time.tzinfo is None:
        raise ValueError("the time has to have an offset, such as datetime.now(UTC)")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _encoded(body: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def _pairs(query: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in query.items():
        if value is None:
            continue
        if name == "metadata":
            yield from ((f"metadata.{key}", str(one)) for key, one in value.items())
        elif isinstance(value, (list, tuple)):
            yield from ((name, str(one)) for one in value)
        else:
            yield name, str(value)


def _checked(key: str) -> str:
    if not 1 <= len(key) <= 255 or not all(" " <= character <= "~" for character in key):
        raise ValueError("the key has to have 1 to 255 characters of printable ASCII")
    return key


def _quoted(key: str) -> str:
    """Return the key as a string of structured fields (RFC 8941)."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
