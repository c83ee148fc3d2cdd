"""Single calls to Collate with chosen headers. The gateway's own client always sends what the settings say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from adapters.collate.operations import if_match as as_entity_tag
from adapters.collate.transport import CollateTransport
from adapters.http_connection.connection import NoResponse
from schemas.fields.scalars import UNRECOGNISED, word


class CollateUnreachable(Exception):
    """A call got no response; the message names no content."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. `code` and `retryable` are those of Collate's own error body."""

    status: int
    headers: httpx.Headers
    body: bytes
    document: Mapping[str, object]
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
        self, path: str, body: Mapping[str, object] | None, *, version: int | None = None, key: str | None = None
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
        document = _document(content)
        error = member(document, "error") if response.status_code >= 400 else None
        code, retryable = member(error, "code"), member(error, "retryable")
        code = word(code) if isinstance(code, str) else UNRECOGNISED
        return Reply(
            response.status_code,
            response.headers,
            content,
            document,
            None if code == UNRECOGNISED else code,
            retryable if isinstance(retryable, bool) else None,
        )


def member(document: object, name: str) -> object:
    """Return a member of a JSON object; None without it, or of another value."""
    return document.get(name) if isinstance(document, Mapping) else None


def _document(content: bytes) -> Mapping[str, object]:
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
