# Made by `make docs` from asynchronous/event_stream.py; don't edit.
"""An iterator over the events that connects again and resumes."""

import logging
import random
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import httpx

from collate_gateway_client.calls import Call, UnreadableAnswer, failure_of
from collate_gateway_client.errors import GatewayError, NotAnswered, is_retried
from collate_gateway_client.progress import Event, StreamProgress, UnreadableEvent
from collate_gateway_client.retries import Backoff
from collate_gateway_client.sse import Frame, FrameParser, FrameTooLong
from collate_gateway_client.synchronous.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Iterator

# The gateway sends a comment at least every 15 s.
SILENCE_SECONDS: Final = 45.0
FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 10.0
# After an end for one of these reasons, a replica accepts a new stream at once.
_RECONNECT_AT_ONCE: Final = frozenset({"renew", "stopping", "slow"})

log = logging.getLogger("collate_gateway_client")


class EventStream:
    """The events in order, without repeats. Use it in a block: the block begins when the stream is open.

    It connects again after each lost connection and resumes behind the last event that it has returned. It raises
    GatewayProblem if the gateway refuses the stream (400, 401, 403), and the last failure after `give_up_after`.
    """

    def __init__(
        self,
        sender: Sender,
        call: Call[None],
        progress: StreamProgress,
        *,
        give_up_after: float | None,
        silence: float,
    ) -> None:
        """`give_up_after`: seconds without a connection; None never gives up. `silence`: see SILENCE_SECONDS."""
        self._sender = sender
        self._call = call
        self._progress = progress
        self._give_up_after = give_up_after
        self._silence = silence
        self._frames: deque[Frame] = deque()
        self._parser = FrameParser()
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] | None = None
        self._backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        self._lost_at: float | None = None
        self.reconnects = 0

    @property
    def position(self) -> str | None:
        """The position behind the last event that was returned; None before the stream is open."""
        return self._progress.position

    def __enter__(self) -> Self:
        while self._pieces is None or (self._progress.position is None and not self._frames):
            self._read()
            while self._frames and self._frames[0].data is None:
                self._take(self._frames.popleft())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        """Return the next event. After an error the connection is closed."""
        try:
            while True:
                while self._frames:
                    if (event := self._take(self._frames.popleft())) is not None:
                        return event
                self._read()
        except GatewayError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        response, self._response, self._pieces = self._response, None, None
        self._frames.clear()
        if response is not None:
            response.close()

    def _take(self, frame: Frame) -> Event | None:
        if frame.retry_milliseconds is not None:
            self._backoff.first_seconds = min(LONGEST_PAUSE_SECONDS, frame.retry_milliseconds / 1000)
        try:
            return self._progress.take(frame)
        except UnreadableEvent:
            raise NotAnswered("the stream has an event that is no CloudEvent of the gateway") from None

    def _read(self) -> None:
        """Read one piece of the stream. Connect first, or again, if there is no connection."""
        try:
            if self._pieces is None:
                self._connect()
                return
            self._frames.extend(self._parser.feed(next(self._pieces)))
        except StopIteration:
            self._lost(None)
        except (httpx.RequestError, UnreadableAnswer) as error:
            self._lost(failure_of(error, self._call))
        except FrameTooLong:
            raise NotAnswered("the stream has an event that is too long") from None
        else:
            self._backoff.reset()
            self._lost_at = None

    def _connect(self) -> None:
        position = self._progress.position
        headers = {} if position is None else {"last-event-id": position}
        response = self._sender.open_stream(self._call, headers, self._silence)
        if response.status_code != 200:
            problem = self._sender.refusal(response)
            if not is_retried(problem):
                raise problem
            self._lost(problem)
            return
        self._parser, self._progress.end_reason = FrameParser(), None
        self._response, self._pieces = response, response.iter_bytes()

    def _lost(self, failure: GatewayError | None) -> None:
        """Wait before the next connection. None: the stream ended, which is no failure for some reasons."""
        self.close()
        now = time.monotonic()
        self._lost_at = now if self._lost_at is None else self._lost_at
        reason = self._progress.end_reason
        if failure is None and reason in _RECONNECT_AT_ONCE:
            pause = random.random() * 0.5  # noqa: S311 -- a pause is no secret
        else:
            pause = self._backoff.pause(random.random(), getattr(failure, "retry_after_seconds", None))  # noqa: S311 -- as above
        if self._give_up_after is not None and now + pause - self._lost_at > self._give_up_after:
            raise failure or NotAnswered(f"the gateway ended the stream: {reason or 'without a reason'}")
        self.reconnects += 1
        log.info("The event stream connects again in %.1f s: %s", pause, reason or type(failure).__name__)
        time.sleep(pause)
