"""The bounds of a request's body: its bytes, its time, no compression."""

import asyncio
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.http_server.port_problems import BodyTimedOut, BodyTooLarge, UnsupportedMediaType
from runtime.http_server.problem import Problem

# The time for a body of at most some hundred kilobytes, from the first read of it.
BODY_SECONDS = 10.0


def check_announced(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    """Check the headers of a body. Raises BodyTooLarge and UnsupportedMediaType (compressed)."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType("Send the body uncompressed.", close=True)
    if int(headers.get(b"content-length", b"0")) > max_bytes:
        raise too_large(max_bytes)


def too_large(max_bytes: int) -> BodyTooLarge:
    """Return the problem of a body above the bound."""
    return BodyTooLarge(f"Send at most {max_bytes} bytes.", close=True)


def timed_out() -> BodyTimedOut:
    """Return the problem of a body that did not arrive in time."""
    return BodyTimedOut("Send the body without pauses, right after the headers.", close=True)


class BodyBound:
    """Bounds the body while it is read. A body that no endpoint reads is not checked: the server does not read it."""

    def __init__(
        self, app: ASGIApp, *, max_bytes: int, refuse: Callable[[Problem], Exception], seconds: float = BODY_SECONDS
    ) -> None:
        """`seconds` begin with the first read. `receive` raises what `refuse` returns for a problem."""
        self.app = app
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        received, due_at, is_complete = 0, 0.0, False

        async def receive_bounded() -> Message:
            nonlocal received, due_at, is_complete
            if is_complete:
                return await receive()
            if not due_at:
                check_announced(dict(scope["headers"]), self._max_bytes)
                due_at = asyncio.get_running_loop().time() + self._seconds
            try:
                async with asyncio.timeout_at(due_at):
                    message = await receive()
            except TimeoutError:
                raise timed_out() from None
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise too_large(self._max_bytes)
            is_complete = not message.get("more_body", False)
            return message

        async def receive_or_refuse() -> Message:
            try:
                return await receive_bounded()
            except Problem as problem:
                raise self._refuse(problem) from None

        await self.app(scope, receive_or_refuse, send)
