"""Single calls to Collate with chosen headers. The gateway's own client always sends what the settings say."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from adapters.collate.http.transport import CollateTransport
from adapters.collate.operations import if_match as as_entity_tag
from adapters.http.connection import NoResponse
from schemas.fields.scalars import UNRECOGNISED, word


class CollateUnreachable(Exception):
    """A call got no response; the message names no content."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. `code` and `retryable` are those of Collate's own error body."""

    status: int
    headers: httpx.Headers
    body: bytes
    document: dict[str, Any]
    code: str | None = None
    retryable: bool | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    def text(self, name: str) -> str | None:
        """Return a word of the body; None if there is none."""
        value = self.document.get(name)
        return word(value) if isinstance(value, str) else None

    @property
    def version(self) -> int | None:
        """Return the body's version."""
        value = self.document.get("version")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def __str__(self) -> str:
        """Return status and code."""
        return f"{self.status} {self.code}" if self.code else str(self.status)


class ProbeCaller:
    """Sends one request at a time and repeats none."""

    def __init__(self, transport: CollateTransport, key: str) -> None:
        self._transport = transport
        self._key = key

    async def get(self, path: str) -> Reply:
        """Read. Raises CollateUnreachable."""
        return await self._send("GET", path, [], None)

    async def post(
        self, path: str, body: dict[str, Any] | None, *, version: int | None = None, key: str | None = None
    ) -> Reply:
        """Write, with If-Match and Idempotency-Key if they are given. Raises CollateUnreachable."""
        headers = [] if version is None else [("If-Match", as_entity_tag(version))]
        if key is not None:
            headers.append(("Idempotency-Key", key))
        return await self._send("POST", path, headers, b"" if body is None else json.dumps(body).encode())

    async def _send(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes | None) -> Reply:
        sent = [("Authorization", f"Bearer {self._key}"), *headers]
        try:
            response = await self._transport.call(method, path, sent, body)
        except NoResponse as failure:
            raise CollateUnreachable(str(failure)) from failure
        content = await response.aread()
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            document = None
        found = document if isinstance(document, dict) else {}
        error = found.get("error")
        error = error if response.status_code >= 400 and isinstance(error, dict) else {}
        code = word(error["code"]) if isinstance(error.get("code"), str) else None
        retryable = error.get("retryable") if isinstance(error.get("retryable"), bool) else None
        return Reply(
            response.status_code,
            response.headers,
            content,
            found,
            None if code == UNRECOGNISED else code,
            retryable,
        )
