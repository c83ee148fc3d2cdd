"""The bounds of a request's body: its size, its time after the last piece, and the unfinished bodies."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.deadlines import Deadlines
from runtime.http_server.body import check_announced, too_large
from runtime.metrics import IngressMetrics
from schemas.api.messages import MOST_BATCH_BYTES
from schemas.cloudevents import BATCH

_BATCH, _BATCH_PATH = BATCH.encode(), "/v1/commands"


def _any(_: RequestContext) -> bool:
    return True


class UnfinishedBodies:
    """The requests that wait for a part of their body. At a full bound the slowest request ends, with 408.

    The requests without a valid credential have few places: a signature is checked after its body is read.
    """

    def __init__(self, deadlines: Deadlines, metrics: IngressMetrics, *, max_unverified: int) -> None:
        self._deadlines = deadlines
        self._metrics = metrics
        self._max_unverified = max_unverified
        self._waiting: dict[int, RequestContext] = {}
        self._unverified: set[int] = set()

    def enter(self, context: RequestContext, *, is_verified: bool) -> None:
        """Add a request, once. Without a free place for an unverified body, the slowest unverified one ends."""
        if id(context) in self._waiting:
            return
        if not is_verified:
            if len(self._unverified) >= self._max_unverified:
                self.evict("unverified_bodies", lambda other: id(other) in self._unverified)
            self._unverified.add(id(context))
        self._waiting[id(context)] = context

    def leave(self, context: RequestContext) -> None:
        """Remove a request, if it waits."""
        self._waiting.pop(id(context), None)
        self._unverified.discard(id(context))

    def evict(self, reason: str, belongs: Callable[[RequestContext], bool] = _any) -> bool:
        """End the slowest of the requests that belong, and free its places now. Return whether there was one."""
        slowest = next(filter(belongs, self._waiting.values()), None)
        if slowest is None:
            return False
        self.leave(slowest)
        self._metrics.shed.labels(reason).inc()
        self._deadlines.expire(slowest.deadline)
        slowest.release()
        return True


class BodyLimit:
    """Bounds the body while it is read. A body that no endpoint reads is not checked.

    `receive` raises BodyTooLarge and UnsupportedMediaType (compressed). A body of several pieces restarts the deadline
    when it is complete: `seconds` remain for the work.
    """

    def __init__(self, app: ASGIApp, bodies: UnfinishedBodies, *, max_bytes: int, seconds: float) -> None:
        """`max_bytes`: the bound of every body but a batch of commands, which has `MOST_BATCH_BYTES`."""
        self.app = app
        self._bodies = bodies
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
            self._bodies.enter(context, is_verified=scope.get("user") is not None)
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            is_complete = not message["more_body"]
            if is_complete:
                context.is_reading_body = False
                self._bodies.leave(context)
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
            self._bodies.leave(context)

    def _most_bytes(self, scope: Scope, headers: dict[bytes, bytes]) -> int:
        is_batch = scope["path"] == _BATCH_PATH and headers.get(b"content-type", b"").lower().startswith(_BATCH)
        return max(self._max_bytes, MOST_BATCH_BYTES) if is_batch else self._max_bytes
