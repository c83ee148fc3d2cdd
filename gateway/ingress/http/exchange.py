"""One request and its answer, as the handlers see them: headers once, the body bounded, the facts for the log line.

Owned by one request's task. Nothing of it outlives the answer.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from gateway.ingress.http.deadlines import Deadline
from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import BodyTimedOut, BodyTooLarge, InvalidHeader, UnsupportedMediaType

if TYPE_CHECKING:
    from gateway.ingress.auth.callers import Caller

# Headers that mean something only once; of all others the first and the last say the same to us.
_SINGLE = frozenset(
    (
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"last-event-id",
        b"traceparent",
        b"webhook-id",
        b"webhook-signature",
        b"webhook-timestamp",
        b"x-request-id",
    )
)
_JSON_TYPE = re.compile(rb'application/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)

Headers = list[tuple[bytes, bytes]]
_ALWAYS: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=63072000"),
    (b"x-content-type-options", b"nosniff"),
]


def with_common(headers: Headers, request_id: str) -> Headers:
    """Return an answer's headers with those that every answer has."""
    return [*headers, *_ALWAYS, (b"x-request-id", request_id.encode())]


class ClientGone(Exception):
    """The client closed its connection before its request was complete."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back at once."""

    status: int
    body: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Streaming:
    """What goes back piece by piece: `write` sends the body after the head and returns why it ended."""

    headers: Headers
    write: Callable[[Send], Awaitable[str]]


@dataclass(slots=True)
class Facts:
    """What the canonical log line says beside method, status and duration: ids and slugs, never content.

    Attributes:
        continues: the traceparent of the work that this request takes up again; for the trace, not for the line.
    """

    route: str = "unmatched"
    caller: str | None = None
    continues: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)


class Exchange:
    """A request under way."""

    __slots__ = (
        "_body",
        "answer",
        "deadline",
        "facts",
        "headers",
        "is_reading",
        "receive",
        "request_id",
        "scope",
        "signed_id",
        "verified",
    )

    def __init__(self, scope: Scope, receive: Receive, request_id: str, deadline: Deadline) -> None:
        self.scope = scope
        self.request_id = request_id
        self.deadline = deadline
        self.facts = Facts()
        self.headers: dict[bytes, bytes] = {}
        self.answer: Answer | Streaming | None = None
        self.is_reading = False
        self.receive = receive
        self.verified: Caller | None = None
        self.signed_id: str | None = None
        self._body: bytes | None = None

    def read_headers(self) -> None:
        """Take up the headers; raises InvalidHeader for one that is doubled and may not be."""
        headers = self.headers
        for name, value in self.scope["headers"]:
            if name not in headers:
                headers[name] = value
            elif name in _SINGLE or name.startswith(b"ce-"):
                raise InvalidHeader(
                    "Send this header once.", faults=(Fault("to be given once", header=name.decode("latin-1")),)
                )
            else:
                headers[name] += b", " + value

    @property
    def path(self) -> dict[str, str]:
        """The variable parts of the path."""
        return self.scope["path_params"]  # type: ignore[no-any-return]

    @property
    def query(self) -> bytes:
        """The query; of a signed request without the `caller` that says whose signature it is."""
        query: bytes = self.scope["query_string"]
        if self.signed_id is None or self.verified is None:
            return query
        terms = query.split(b"&")
        signer = [("caller", self.verified.name)]
        at = next(at for at, term in enumerate(terms) if parse_qsl(term.decode("latin-1")) == signer)
        return b"&".join(terms[:at] + terms[at + 1 :])

    def extend(self, seconds: float) -> None:
        """Give the request this long from now."""
        self.deadline.extend(seconds)

    async def body(self, limit: int, seconds: float) -> bytes:
        """Read the whole body, at most `limit` bytes of it; then the request has `seconds` from now.

        Raises BodyTooLarge, UnsupportedMediaType (compressed), ClientGone. A second call returns the same.
        """
        if self._body is None:
            self._body = await self._read(limit, seconds)
        return self._body

    async def _read(self, limit: int, seconds: float) -> bytes:
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMediaType("Send the body uncompressed.", close=True)
        declared = self.headers.get(b"content-length")
        if declared is not None and int(declared) > limit:
            raise _too_large(limit)
        self.is_reading = True
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message["body"]
        if not message["more_body"]:
            self.is_reading = False
            if len(body) > limit:
                raise _too_large(limit)
            return body
        pieces = bytearray(body)
        while message["more_body"]:
            if len(pieces) > limit:
                raise _too_large(limit)
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces += message["body"]
        if len(pieces) > limit:
            raise _too_large(limit)
        self.is_reading = False
        self.extend(seconds)
        return bytes(pieces)

    async def gone(self) -> None:
        """Return when the client has closed its connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    def require_json(self, body: bytes) -> None:
        """Check the media type of a body that should be JSON; an empty body needs none."""
        content_type = self.headers.get(b"content-type")
        if content_type is None and not body:
            return
        if content_type is None or not _JSON_TYPE.fullmatch(content_type):
            raise UnsupportedMediaType(
                "Send the body as application/json, in UTF-8.",
                faults=(Fault("application/json", header="Content-Type"),),
            )

    def timed_out(self) -> BodyTimedOut | None:
        """Say whether it was the client that took too long."""
        if not self.is_reading:
            return None
        return BodyTimedOut("Send the body without pauses, right after the headers.", close=True)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"Send at most {limit} bytes.", close=True)
