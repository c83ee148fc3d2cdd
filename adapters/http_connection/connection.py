"""One HTTP/1.1 connection: it sends one request and reads one response, or returns the reason why there is none.

No pool, no retries, no redirects. Unexpected or invalid bytes close the connection. Nothing here awaits: `send` returns
a future.
"""

import asyncio
import select
from dataclasses import dataclass
from typing import cast

import httpx

from adapters.http_connection.cause import Cause
from adapters.http_connection.http_response import HttpResponseReader


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one call; seconds and bytes. `idle_seconds` and `age_seconds` bound the reuse of a connection."""

    connect_seconds: float
    write_seconds: float
    read_seconds: float
    total_seconds: float
    max_body: int
    idle_seconds: float = 4.0
    age_seconds: float = 300.0


class NoResponse(Exception):
    """The call got no whole response.

    Attributes:
        cause: why.
        sent: False only if no byte of the request was sent.
        status: of a response that was cut short, or of the proxy's refusal.
    """

    def __init__(self, cause: Cause, *, sent: bool, status: int | None = None) -> None:
        super().__init__(cause.replace("_", " "))
        self.cause = cause
        self.sent = sent
        self.status = status


class Connection(asyncio.Protocol):
    """One connection to a server. `ended_at` is when the last call on this connection ended (loop time)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self._loop = loop
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[httpx.Response] | None = None
        self._reader = HttpResponseReader(limits.max_body)
        self._poll: select.poll | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False
        self._phase_ends = self._call_ends = 0.0
        self._opened_at = self.ended_at = loop.time()

    @property
    def usable(self) -> bool:
        """Whether the next request may use this connection: it is open, idle and young enough."""
        transport, now = self._transport, self._loop.time()
        return (
            transport is not None
            and self._response is None
            and not transport.is_closing()
            and now - self.ended_at < self._limits.idle_seconds
            and now - self._opened_at < self._limits.age_seconds
        )

    @property
    def is_quiet(self) -> bool:
        """Whether the socket holds no unread bytes and no end of stream.

        The event loop may not have seen the end of an idle connection yet. A write would then be lost.
        """
        return self._poll is not None and not self._poll.poll(0)

    def send(self, request: bytes, call_ends: float) -> asyncio.Future[httpx.Response]:
        """Send the request and return the future of its response, which is done at `call_ends` (loop time) or before.

        The future raises NoResponse. From this call on the request counts as sent. Needs a `usable` connection.
        """
        if self._transport is None or self._response is not None:
            raise RuntimeError("send() on a connection that is not usable")
        self._reader = HttpResponseReader(self._limits.max_body)
        self._response = response = self._loop.create_future()
        self._call_ends = call_ends
        self._blocked = False
        self._transport.write(request)
        self._phase_ends = self._loop.time() + (
            self._limits.write_seconds if self._blocked else self._limits.read_seconds
        )
        self._timer = self._loop.call_at(min(self._phase_ends, call_ends), self._check_time)
        return response

    def close(self) -> None:
        """Close the connection without waiting for unsent bytes."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Make asyncio report immediately that the kernel does not accept all bytes."""
        self._transport = cast("asyncio.Transport", transport)
        # Not 0: asyncio's TLS pauses at `size >= high`, so 0 would toggle with every piece.
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def pause_writing(self) -> None:
        """Note that a part of the request is still unsent."""
        self._blocked = True

    def resume_writing(self) -> None:
        """Start the read timeout: the whole request is sent."""
        self._blocked = False
        self._phase_ends = self._loop.time() + self._limits.read_seconds

    def data_received(self, data: bytes) -> None:
        """Read a piece of the response. Bytes without a waiting request close the connection."""
        if self._response is None:
            self.close()
            return
        if not self._blocked:
            self._phase_ends = self._loop.time() + self._limits.read_seconds
        self._end(self._reader.feed(data))

    def eof_received(self) -> None:
        """End the response, whole or not. asyncio then closes the transport."""
        if self._response is not None:
            self._end(self._reader.end())

    def connection_lost(self, exc: Exception | None) -> None:
        """End the call that is under way."""
        if self._response is not None:
            self._end(Cause.RESET if exc is not None else self._reader.end())
        self._transport = None

    def _check_time(self) -> None:
        now = self._loop.time()
        due = min(self._phase_ends, self._call_ends)
        if now < due:
            self._timer = self._loop.call_at(due, self._check_time)
        elif now >= self._call_ends:
            self._end(Cause.DEADLINE)
        else:
            self._end(Cause.WRITE_TIMEOUT if self._blocked else Cause.READ_TIMEOUT)

    def _end(self, result: httpx.Response | Cause | None) -> None:
        """End the call with a response or a cause; None means that more is to come."""
        if result is None:
            return
        response, self._response = self._response, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if isinstance(result, Cause) or not self._reader.reusable or self._blocked:
            self.close()
        self.ended_at = self._loop.time()
        if response is None or response.done():
            return
        if isinstance(result, Cause):
            response.set_exception(NoResponse(result, sent=True, status=self._reader.status))
        else:
            response.set_result(result)
