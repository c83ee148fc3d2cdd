"""GET /v1/events: what happens, as server-sent events, from now on or from where a client left off.

    Last-Event-ID (next offset of every partition) ──▶ catch up from the topic ──▶ follow the tail
    none ───────────────────────────────────────────────────────────────────────▶ follow the tail

An event's `id` is the vector of next offsets once it has been read: with it a client misses nothing at any replica. It
may see again what lies between two ids; `sequence` tells. Bounded: clients, queued events, the time of one write, the
life of a stream; who can't follow is told why and dropped.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.types import Send

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.topic_reader import OpenReader, TopicReader
from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.event_stream.stream_filter import StreamFilter, read_filter, read_vector, write_vector
from gateway.ingress.event_stream.streamed_event import StreamedEvent, read_streamed_event
from gateway.ingress.event_stream.tail import Tail
from gateway.ingress.http.exchange import Answer, Exchange, Headers, Streaming
from gateway.ingress.http.problems import KafkaUnavailable, Overloaded, Stopping
from runtime.metrics import IngressMetrics

HEARTBEAT_SECONDS = 15.0
WRITE_SECONDS = 10.0
MOST_QUEUED = 1_000
MOST_CATCHING_UP = 8
_HEARTBEAT = b": still here\n\n"
_HEADERS: Headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]


class Ended(StrEnum):
    """Why a stream ended."""

    CLIENT = "client_gone"
    SLOW = "slow"
    STOPPING = "stopping"
    KAFKA = "kafka_away"
    RENEW = "renew"


@dataclass(slots=True, eq=False)
class _Client:
    """A client's queue; `floor` are the next offsets that it has been sent up to. `offer` never blocks."""

    filter: StreamFilter
    caller: str
    floor: list[int]
    queue: asyncio.Queue[StreamedEvent | Ended] = field(default_factory=lambda: asyncio.Queue(MOST_QUEUED + 1))

    def offer(self, happening: StreamedEvent) -> None:
        if happening.offset < self.floor[happening.partition] or not self.filter.accepts(happening):
            return
        if self.queue.qsize() < MOST_QUEUED:
            self.queue.put_nowait(happening)
        else:
            self.end(Ended.SLOW)

    @property
    def is_ended(self) -> bool:
        """Whether there is a reason to end while nothing has been offered yet."""
        return not self.queue.empty()

    def end(self, why: Ended) -> None:
        if not self.queue.full():
            self.queue.put_nowait(why)


class _TooSlow(Exception):
    """The client did not take its bytes in time."""


class Streams:
    """The handler behind /v1/events, and its clients."""

    def __init__(
        self,
        gate: AccessControl,
        tail: Tail,
        open_history: OpenReader[int],
        metrics: IngressMetrics,
        *,
        partitions: int,
        most: int,
        most_per_caller: int,
        life_seconds: float,
    ) -> None:
        """`life_seconds`: a stream is ended in order after this long, so that a caller's rights are looked at again."""
        self._gate = gate
        self._tail = tail
        self._open_history = open_history
        self._metrics = metrics
        self._partitions = partitions
        self._most = most
        self._most_per_caller = most_per_caller
        self._life_seconds = life_seconds
        self._clients: set[_Client] = set()
        self._catching_up = 0
        self._is_stopping = False
        metrics.streams.set_function(lambda: len(self._clients))

    async def events(self, exchange: Exchange) -> Answer | Streaming:
        """GET /v1/events?type=…&authorizationId=…, both repeatable."""
        caller = self._gate.admit(exchange, Permission.AUTHORIZATION_READ)
        wanted = read_filter(exchange.query)
        since = read_vector(exchange.headers.get(b"last-event-id"), self._partitions)
        if exchange.scope["method"] == "HEAD":
            return Answer(200, b"", _HEADERS)
        self._require_room(caller.name, is_late=since is not None)
        client = _Client(wanted, caller.name, self._tail.vector())
        self._clients.add(client)

        async def write(send: Send) -> str:
            gone = asyncio.create_task(exchange.gone())
            gone.add_done_callback(lambda _: client.end(Ended.CLIENT))
            try:
                ended = await self._serve(client, since, send)
            except _TooSlow:
                ended = Ended.SLOW
            finally:
                gone.cancel()
                self._clients.discard(client)
            if ended is not Ended.CLIENT:
                self._metrics.streams_dropped.labels(ended).inc()
            return ended

        return Streaming(_HEADERS, write)

    def stop(self) -> None:
        """End every stream; its client connects to another replica."""
        self._is_stopping = True
        for client in self._clients:
            client.end(Ended.STOPPING)

    def _require_room(self, caller: str, *, is_late: bool) -> None:
        if self._is_stopping:
            raise Stopping("Connect again; another replica will take it.", retry_after_seconds=1)
        per_caller = Counter(client.caller for client in self._clients)
        is_full = len(self._clients) >= self._most or per_caller[caller] >= self._most_per_caller
        if is_full or (is_late and self._catching_up >= MOST_CATCHING_UP):
            self._metrics.shed.labels("streams").inc()
            raise Overloaded("Keep fewer streams, or connect again later.", retry_after_seconds=10)
        if not self._tail.is_caught_up:
            raise KafkaUnavailable("The events can't be read now. Connect again.", retry_after_seconds=2)

    async def _serve(self, client: _Client, since: list[int] | None, send: Send) -> Ended:
        ends_at = time.monotonic() + self._life_seconds
        try:
            if since is None:
                client.floor = self._tail.vector()
                self._tail.add_listener(client.offer)
                await _send(send, _hello(client.floor))
            else:
                await _send(send, _hello(since))
                await self._catch_up(client, since, send)
            ended = await self._follow(client, ends_at, send)
        except KafkaFailure:
            ended = Ended.KAFKA
        finally:
            self._tail.remove_listener(client.offer)
        if ended is not Ended.CLIENT:
            await _send(send, b'event: stream.ended\ndata: {"reason":"%s"}\n\n' % ended.encode(), is_last=True)
        return ended

    async def _catch_up(self, client: _Client, since: list[int], send: Send) -> None:
        """Send what lies between `since` and the tail; then the client listens, and nothing lies between.

        Ends early where the stream ends: `_follow` finds the reason in the client's queue.
        """
        client.floor = [min(then, now) for then, now in zip(since, self._tail.vector(), strict=True)]
        self._catching_up += 1
        try:
            async with self._open_history() as reader:
                await self._replay(client, reader, send)
                # No await stands between the last look at the tail's end and this.
                self._tail.add_listener(client.offer)
        finally:
            self._catching_up -= 1

    async def _replay(self, client: _Client, reader: TopicReader[int], send: Send) -> None:
        reader.seek(dict(enumerate(client.floor)))
        told_at = time.monotonic()
        while self._is_behind(client) and not client.is_ended:
            for partition, records in (await reader.read()).items():
                for record in records:
                    client.floor[partition] = record.offset + 1
                    happening = read_streamed_event(partition, record.offset, tuple(record.headers), record.value)
                    if happening is not None and client.filter.accepts(happening):
                        happening.vector = write_vector(client.floor)
                        await _send(send, _frame(happening))
                        told_at = time.monotonic()
                        if client.is_ended:
                            return
            if time.monotonic() - told_at >= HEARTBEAT_SECONDS:
                await _send(send, _HEARTBEAT)
                told_at = time.monotonic()
            positions = await reader.positions()
            client.floor = [max(here, positions[partition]) for partition, here in enumerate(client.floor)]

    def _is_behind(self, client: _Client) -> bool:
        return any(here < end for here, end in zip(client.floor, self._tail.vector(), strict=True))

    async def _follow(self, client: _Client, ends_at: float, send: Send) -> Ended:
        while (left := ends_at - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(HEARTBEAT_SECONDS, left)):
                    happening = await client.queue.get()
            except TimeoutError:
                if left > HEARTBEAT_SECONDS:
                    await _send(send, _HEARTBEAT)
                continue
            if isinstance(happening, Ended):
                return happening
            await _send(send, _frame(happening))
        return Ended.RENEW


def _hello(vector: list[int]) -> bytes:
    return b"retry: 2000\nid: %s\n: connected\n\n" % write_vector(vector).encode()


def _frame(happening: StreamedEvent) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (
        happening.vector.encode(),
        happening.type.encode(),
        happening.structured(),
    )


async def _send(send: Send, data: bytes, *, is_last: bool = False) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await send({"type": "http.response.body", "body": data, "more_body": not is_last})
    except TimeoutError:
        raise _TooSlow from None
