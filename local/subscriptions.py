"""The subscriptions file of a local deliverer, whose receivers are on this machine, and the secrets of its webhooks."""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from schemas.fields.signing_secret import WRITTEN_PREFIX

LOOPBACK = "127.0.0.0/8"


def new_secret() -> str:
    """Return a signing secret in the notation of Standard Webhooks."""
    return f"{WRITTEN_PREFIX}{base64.b64encode(os.urandom(32)).decode()}"


def subscription_toml(
    name: str,
    url: str,
    secret_files: Iterable[Path | str],
    *,
    since: str = "2026-01-01T00:00:00Z",
    metadata: Mapping[str, Any] | None = None,
    **options: Any,
) -> str:
    """Return an entry of the subscriptions file."""
    settings = {
        "name": name,
        "url": url,
        "secret_files": [str(path) for path in secret_files],
        "allow_plain_http": True,
        "allowed_networks": [LOOPBACK],
        **options,
    }
    lines = ["[[subscription]]", f"since = {since}", *_lines(settings)]
    return "\n".join([*lines, *(["[subscription.metadata]", *_lines(metadata)] if metadata else []), ""])


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]
