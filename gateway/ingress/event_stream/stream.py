"""One event stream: catch up from the topic, follow the tail, and say why it ends.

The queue of a stream, the time of one write and the life of a stream are bounded.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.types import Send

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.topic_reader import OpenReader, TopicReader
from gateway.ingress.event_stream.stream_filter import StreamFilter, write_vector
from gateway.ingress.event_stream.streamed_event import StreamedEvent, read_streamed_event
from gateway.ingress.event_stream.tail import Tail
from schemas.callers import pool_of

HEARTBEAT_SECONDS = 15.0
WRITE_SECONDS = 10.0
MAX_QUEUED = 1_000


class EndReason(StrEnum):
    """Why a stream ended."""

    CLIENT = "client_gone"
    SLOW = "slow"
    STOPPING = "stopping"
    KAFKA = "kafka_away"
    RENEW = "renew"


class _TooSlow(Exception):
    """The client did not read in time."""


@dataclass(slots=True, eq=False)
class EventStream:
    """A client's stream and its queue. `offer` never blocks.

    Attributes:
        vector: the next offsets that the client has not received.
        catching_up: how many streams of each service, or of all people of a prefix, read the topic; shared by all.
    """

    tail: Tail
    open_history: OpenReader[int]
    catching_up: Counter[str]
    filter: StreamFilter
    caller: str
    vector: list[int]
    queue: asyncio.Queue[StreamedEvent | EndReason] = field(default_factory=lambda: asyncio.Queue(MAX_QUEUED + 1))

    async def serve(self, since: list[int] | None, life_seconds: float, send: Send) -> EndReason:
        """Send events from `since`, else from now on, until the stream ends; return why."""
        try:
            return await self._serve(since, time.monotonic() + life_seconds, send)
        except _TooSlow:
            return EndReason.SLOW

    def offer(self, event: StreamedEvent) -> None:
        """Queue an event for the client; end the stream of a client that does not keep up."""
        if event.offset < self.vector[event.partition] or not self.filter.accepts(event):
            return
        if self.queue.qsize() < MAX_QUEUED:
            self.queue.put_nowait(event)
        else:
            self.end(EndReason.SLOW)

    @property
    def is_ended(self) -> bool:
        """Whether the stream has a reason to end. Valid while the client catches up: it has no events queued then."""
        return not self.queue.empty()

    def end(self, reason: EndReason) -> None:
        """End the stream."""
        if not self.queue.full():
            self.queue.put_nowait(reason)

    async def _serve(self, since: list[int] | None, ends_at: float, send: Send) -> EndReason:
        try:
            if since is None:
                self.vector = self.tail.vector()
                self.tail.add_listener(self.offer)
                await _send(send, _first_frame(self.vector))
            else:
                await _send(send, _first_frame(since))
                await self._catch_up(since, ends_at, send)
            reason = await self._follow(ends_at, send)
        except KafkaFailure:
            reason = EndReason.KAFKA
        finally:
            self.tail.remove_listener(self.offer)
        if reason is not EndReason.CLIENT:
            await _send(send, b'event: stream.ended\ndata: {"reason":"%s"}\n\n' % reason.encode(), is_last=True)
        else:
            # The client may have closed its sending side only.
            await _send(send, b"", is_last=True)
        return reason

    async def _catch_up(self, since: list[int], ends_at: float, send: Send) -> None:
        """Send the events between `since` and the tail, then register the client with the tail.

        Returns early if the stream has to end: `_follow` returns the reason.
        """
        self.vector = [min(then, now) for then, now in zip(since, self.tail.vector(), strict=True)]
        pool = pool_of(self.caller)
        self.catching_up[pool] += 1
        try:
            async with self.open_history() as reader:
                await self._replay(reader, ends_at, send)
                # No `await` since the last comparison with the tail, so the client misses no event.
                self.tail.add_listener(self.offer)
            # A client without an event of its filter would otherwise read the whole history again.
            await _send(send, _position(self.vector))
        finally:
            self.catching_up[pool] -= 1
            if not self.catching_up[pool]:
                del self.catching_up[pool]

    async def _replay(self, reader: TopicReader[int], ends_at: float, send: Send) -> None:
        reader.seek(dict(enumerate(self.vector)))
        sent_at = time.monotonic()
        while self._is_behind_tail() and not self.is_ended:
            for partition, records in (await reader.read()).items():
                for record in records:
                    self.vector[partition] = record.offset + 1
                    event = read_streamed_event(partition, record.offset, tuple(record.headers), record.value)
                    if event is not None and self.filter.accepts(event):
                        event.vector = write_vector(self.vector)
                        await _send(send, _frame(event))
                        sent_at = time.monotonic()
                        if sent_at >= ends_at or self.is_ended:
                            return
            now = time.monotonic()
            if now >= ends_at:
                return
            if now - sent_at >= HEARTBEAT_SECONDS:
                # With its position, because its client may have no event of the filter for long.
                await _send(send, _position(self.vector))
                sent_at = now
            positions = await reader.positions()
            self.vector = [max(here, positions[partition]) for partition, here in enumerate(self.vector)]

    def _is_behind_tail(self) -> bool:
        return any(here < end for here, end in zip(self.vector, self.tail.vector(), strict=True))

    async def _follow(self, ends_at: float, send: Send) -> EndReason:
        while (left := ends_at - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(HEARTBEAT_SECONDS, left)):
                    item = await self.queue.get()
            except TimeoutError:
                if left > HEARTBEAT_SECONDS and self.queue.empty():
                    await _send(send, _position(self.tail.vector()))
                continue
            if isinstance(item, EndReason):
                return item
            await _send(send, _frame(item))
        return EndReason.RENEW


def _first_frame(vector: list[int]) -> bytes:
    return b"retry: 2000\nid: %s\n: connected\n\n" % write_vector(vector).encode()


def _position(vector: list[int]) -> bytes:
    return b"id: %s\n: still here\n\n" % write_vector(vector).encode()


def _frame(event: StreamedEvent) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event.vector.encode(), event.type.encode(), event.structured())


async def _send(send: Send, data: bytes, *, is_last: bool = False) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await send({"type": "http.response.body", "body": data, "more_body": not is_last})
    except TimeoutError:
        raise _TooSlow from None
