"""The bounds of a request's body: its size, its time after the last piece, and the places of unverified bodies."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.ingress.http.context import RequestContext
from gateway.ingress.http.deadlines import Deadlines
from runtime.http.body import check_announced, too_large
from runtime.metrics import IngressMetrics
from schemas.cloudevents import BATCH

MAX_BATCH_BYTES: Final = 512 << 10
_BATCH, _BATCH_PATH = BATCH.encode(), "/v1/commands"


class UnverifiedBodies:
    """The requests that wait for a body without a valid credential: a signature is checked after its body is read.

    The places are few. Without a free place, a new body replaces the oldest, so slow bodies cannot block quick ones.
    """

    def __init__(self, deadlines: Deadlines, metrics: IngressMetrics, *, max_bodies: int) -> None:
        self._deadlines = deadlines
        self._metrics = metrics
        self._max_bodies = max_bodies
        self._waiting: dict[int, RequestContext] = {}

    def enter(self, context: RequestContext) -> None:
        """Take a place, once per request."""
        if id(context) in self._waiting:
            return
        if len(self._waiting) >= self._max_bodies:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self._metrics.shed.labels("unverified_bodies").inc()
            self._deadlines.expire(oldest.deadline)
        self._waiting[id(context)] = context

    def leave(self, context: RequestContext) -> None:
        """Free the place, if the request has one."""
        self._waiting.pop(id(context), None)


class BodyLimit:
    """Bounds the body while it is read. A body that no endpoint reads is not checked.

    `receive` raises BodyTooLarge and UnsupportedMediaType (compressed). A body of several pieces restarts the deadline
    when it is complete: `seconds` remain for the work.
    """

    def __init__(self, app: ASGIApp, unverified: UnverifiedBodies, *, max_bytes: int, seconds: float) -> None:
        """`max_bytes`: the bound of every body but a batch of commands, which has `MAX_BATCH_BYTES`."""
        self.app = app
        self._unverified = unverified
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        context: RequestContext = scope["state"]["context"]
        size, pieces, is_complete = 0, 0, False
        max_bytes = self._most_bytes(scope, context.headers)

        async def receive_bounded() -> Message:
            nonlocal size, pieces, is_complete
            if is_complete:
                # A waiting request or a stream receives on, to learn that its client has left.
                return await receive()
            if not pieces:
                pieces = 1
                check_announced(context.headers, max_bytes)
            context.is_reading_body = True
            if scope.get("user") is None:
                self._unverified.enter(context)
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            is_complete = not message["more_body"]
            if is_complete:
                context.is_reading_body = False
                if scope.get("user") is None:
                    self._unverified.leave(context)
            size += len(message["body"])
            if size > max_bytes:
                raise too_large(max_bytes)
            if is_complete and pieces > 1:
                context.deadline.extend(self._seconds)
            pieces += 1
            return message

        try:
            await self.app(scope, receive_bounded, send)
        finally:
            self._unverified.leave(context)

    def _most_bytes(self, scope: Scope, headers: dict[bytes, bytes]) -> int:
        is_batch = scope["path"] == _BATCH_PATH and headers.get(b"content-type", b"").lower().startswith(_BATCH)
        return max(self._max_bytes, MAX_BATCH_BYTES) if is_batch else self._max_bytes
