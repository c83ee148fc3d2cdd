"""One HTTP/1.1 connection: one request out, one answer in, and why there was none. No pool, no retries, no redirects.

Never raises for what the other side does. Whatever arrives unasked or wrong ends the connection. Never awaits:
it hands out a future.
"""

import asyncio
import select
from dataclasses import dataclass
from typing import cast

from adapters.collate.answers import Cause
from adapters.collate.http_response import HttpResponse, HttpResponseReader


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one exchange; seconds and bytes. `idle_seconds` and `age_seconds` bound reuse of a connection."""

    connect_seconds: float
    write_seconds: float
    read_seconds: float
    total_seconds: float
    max_body: int
    idle_seconds: float = 4.0
    age_seconds: float = 300.0


@dataclass(frozen=True, slots=True)
class NoReply:
    """No whole answer. `sent` is False only if not a byte of the request was handed to the network."""

    cause: Cause
    sent: bool
    status: int | None = None


class Connection(asyncio.Protocol):
    """See the module. `usable`: whether the next request may go out here. `concluded_at`: when the last one ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits) -> None:
        self._loop = loop
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[HttpResponse | NoReply] | None = None
        self._reader = HttpResponseReader(limits.max_body)
        self._poll: select.poll | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._blocked = False
        self._phase_ends = self._call_ends = 0.0
        self._born = self.concluded_at = loop.time()

    @property
    def usable(self) -> bool:
        """Whether the connection stands, owes no answer and is young enough."""
        transport, now = self._transport, self._loop.time()
        return (
            transport is not None
            and self._answer is None
            and not transport.is_closing()
            and now - self.concluded_at < self._limits.idle_seconds
            and now - self._born < self._limits.age_seconds
        )

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has arrived unasked: an end that the loop has not seen yet would spoil a write."""
        return self._poll is not None and not self._poll.poll(0)

    def exchange(self, request: bytes, call_ends: float) -> asyncio.Future[HttpResponse | NoReply]:
        """Send the request and return the future of its answer, which comes by `call_ends` (loop time) at the latest.

        From this call on the request counts as sent. Only for a `usable` connection.
        """
        if self._transport is None or self._answer is not None:
            raise RuntimeError("exchange() on a connection that is not usable")
        self._reader = HttpResponseReader(self._limits.max_body)
        self._answer = answer = self._loop.create_future()
        self._call_ends = call_ends
        self._blocked = False
        self._transport.write(request)
        self._phase_ends = self._loop.time() + (
            self._limits.write_seconds if self._blocked else self._limits.read_seconds
        )
        self._timer = self._loop.call_at(min(self._phase_ends, call_ends), self._check_time)
        return answer

    def close(self) -> None:
        """Drop the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be told as soon as the kernel doesn't take everything."""
        self._transport = cast("asyncio.Transport", transport)
        # Not 0: asyncio's TLS pauses at "as much as that", so that 0 would flip with every piece.
        self._transport.set_write_buffer_limits(high=1, low=0)
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def pause_writing(self) -> None:
        """Part of the request still waits to be sent."""
        self._blocked = True

    def resume_writing(self) -> None:
        """The request is out; now the answer's time runs."""
        self._blocked = False
        self._phase_ends = self._loop.time() + self._limits.read_seconds

    def data_received(self, data: bytes) -> None:
        """Read on; what comes unasked ends the connection."""
        if self._answer is None:
            self.close()
            return
        if not self._blocked:
            self._phase_ends = self._loop.time() + self._limits.read_seconds
        self._conclude(self._reader.feed(data))

    def eof_received(self) -> None:
        """End the answer, whole or not; the transport closes by itself."""
        if self._answer is not None:
            self._conclude(self._reader.end())

    def connection_lost(self, exc: Exception | None) -> None:
        """Say what that means for the request under way."""
        if self._answer is not None:
            self._conclude(Cause.RESET if exc is not None else self._reader.end())
        self._transport = None

    def _check_time(self) -> None:
        now = self._loop.time()
        due = min(self._phase_ends, self._call_ends)
        if now < due:
            self._timer = self._loop.call_at(due, self._check_time)
        elif now >= self._call_ends:
            self._conclude(Cause.DEADLINE)
        else:
            self._conclude(Cause.WRITE_TIMEOUT if self._blocked else Cause.READ_TIMEOUT)

    def _conclude(self, result: HttpResponse | Cause | None) -> None:
        if result is None:
            return
        answer, self._answer = self._answer, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if isinstance(result, Cause) or not self._reader.reusable or self._blocked:
            self.close()
        self.concluded_at = self._loop.time()
        if answer is not None and not answer.done():
            answer.set_result(
                NoReply(result, sent=True, status=self._reader.status) if isinstance(result, Cause) else result
            )
