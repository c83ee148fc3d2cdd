"""GET /v1/events: events as server-sent events, from now on or from the client's last position.

    Last-Event-ID (next offset of every partition) ──▶ catch up from the topic ──▶ follow the tail
    none ───────────────────────────────────────────────────────────────────────▶ follow the tail

The `id` of an event is the vector of next offsets after it. With it a client misses no event at any replica. The client
may receive events between two ids again; `sequence` identifies them. The number of clients, the queue of a client, the
time of one write and the life of a stream are bounded. The gateway sends a reason before it ends a stream.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.topic_reader import OpenReader, TopicReader
from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.event_stream.stream_filter import StreamFilter, read_filter, read_vector, write_vector
from gateway.ingress.event_stream.streamed_event import StreamedEvent, read_streamed_event
from gateway.ingress.event_stream.tail import Tail
from gateway.ingress.http.context import context_of
from gateway.ingress.http.problems import KafkaUnavailable, Stopping
from gateway.ingress.http.request import disconnected
from runtime.http.problems import Overloaded
from runtime.metrics import IngressMetrics

HEARTBEAT_SECONDS = 15.0
WRITE_SECONDS = 10.0
MAX_QUEUED = 1_000
MAX_CATCHING_UP = 8
_HEARTBEAT = b": still here\n\n"
_HEADERS = {"content-type": "text/event-stream", "x-accel-buffering": "no"}


class EndReason(StrEnum):
    """Why a stream ended."""

    CLIENT = "client_gone"
    SLOW = "slow"
    STOPPING = "stopping"
    KAFKA = "kafka_away"
    RENEW = "renew"


class EventStreamResponse(Response):
    """A response whose body `write` sends piece by piece. The log line has the reason of its end.

    Starlette's StreamingResponse does not bound the time of a write, and it cancels the body when the client leaves.
    """

    def __init__(self, write: Callable[[Receive, Send], Awaitable[EndReason]]) -> None:
        self.status_code = 200
        self._write = write
        self.init_headers(_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        context_of(scope).log_fields["ended"] = await self._write(receive, send)


@dataclass(slots=True, eq=False)
class _Client:
    """A client and its queue. `vector` has the next offsets that the client has not received. `offer` never blocks."""

    filter: StreamFilter
    caller: str
    vector: list[int]
    queue: asyncio.Queue[StreamedEvent | EndReason] = field(default_factory=lambda: asyncio.Queue(MAX_QUEUED + 1))

    def offer(self, event: StreamedEvent) -> None:
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
        if not self.queue.full():
            self.queue.put_nowait(reason)


class _TooSlow(Exception):
    """The client did not read in time."""


class EventStreams:
    """The endpoint of /v1/events, and its clients."""

    def __init__(
        self,
        access: AccessControl,
        tail: Tail,
        open_history: OpenReader[int],
        metrics: IngressMetrics,
        *,
        partitions: int,
        max_streams: int,
        max_per_caller: int,
        life_seconds: float,
    ) -> None:
        """`life_seconds`: the life of a stream. Its client connects again, and its permissions are checked again."""
        self._access = access
        self._tail = tail
        self._open_history = open_history
        self._metrics = metrics
        self._partitions = partitions
        self._max_streams = max_streams
        self._max_per_caller = max_per_caller
        self._life_seconds = life_seconds
        self._clients: set[_Client] = set()
        self._catching_up: Counter[str] = Counter()
        self._is_stopping = False
        metrics.streams.set_function(lambda: len(self._clients))

    async def events(self, request: Request) -> Response:
        """GET /v1/events?type=…&authorizationId=…, both repeatable."""
        caller = self._access.admit(request, Permission.AUTHORIZATION_READ)
        stream_filter = read_filter(request.scope["query_string"])
        since = read_vector(context_of(request.scope).headers.get(b"last-event-id"), self._partitions)
        if request.method == "HEAD":
            return Response(headers=_HEADERS)
        self._require_room(caller.name, is_catching_up=since is not None)
        client = _Client(stream_filter, caller.name, self._tail.vector())
        self._clients.add(client)

        async def write(receive: Receive, send: Send) -> EndReason:
            departure = asyncio.create_task(disconnected(receive))
            departure.add_done_callback(lambda _: client.end(EndReason.CLIENT))
            try:
                reason = await self._serve(client, since, send)
            except _TooSlow:
                reason = EndReason.SLOW
            finally:
                departure.cancel()
                self._clients.discard(client)
            if reason is not EndReason.CLIENT:
                self._metrics.streams_dropped.labels(reason).inc()
            return reason

        return EventStreamResponse(write)

    def stop(self) -> None:
        """End all streams. Their clients connect to another replica."""
        self._is_stopping = True
        for client in self._clients:
            client.end(EndReason.STOPPING)

    def _require_room(self, caller: str, *, is_catching_up: bool) -> None:
        if self._is_stopping:
            raise Stopping("Connect again: another replica will accept the stream.", retry_after_seconds=1)
        per_caller = Counter(client.caller for client in self._clients)
        is_full = len(self._clients) >= self._max_streams or per_caller[caller] >= self._max_per_caller
        if is_full or (is_catching_up and self._is_history_busy(caller)):
            self._metrics.shed.labels("streams").inc()
            raise Overloaded("Keep fewer streams, or connect again later.", retry_after_seconds=10)
        if not self._tail.is_caught_up:
            raise KafkaUnavailable("The events can't be read now. Connect again.", retry_after_seconds=2)

    def _is_history_busy(self, caller: str) -> bool:
        """Whether too many streams catch up; one caller has at most half of the places."""
        return self._catching_up.total() >= MAX_CATCHING_UP or self._catching_up[caller] >= MAX_CATCHING_UP // 2

    async def _serve(self, client: _Client, since: list[int] | None, send: Send) -> EndReason:
        ends_at = time.monotonic() + self._life_seconds
        try:
            if since is None:
                client.vector = self._tail.vector()
                self._tail.add_listener(client.offer)
                await _send(send, _first_frame(client.vector))
            else:
                await _send(send, _first_frame(since))
                await self._catch_up(client, since, send)
            reason = await self._follow(client, ends_at, send)
        except KafkaFailure:
            reason = EndReason.KAFKA
        finally:
            self._tail.remove_listener(client.offer)
        if reason is not EndReason.CLIENT:
            await _send(send, b'event: stream.ended\ndata: {"reason":"%s"}\n\n' % reason.encode(), is_last=True)
        else:
            # The client may have closed its sending side only.
            await _send(send, b"", is_last=True)
        return reason

    async def _catch_up(self, client: _Client, since: list[int], send: Send) -> None:
        """Send the events between `since` and the tail, then register the client with the tail.

        Returns early if the stream has to end: `_follow` reads the reason from the client's queue.
        """
        client.vector = [min(then, now) for then, now in zip(since, self._tail.vector(), strict=True)]
        self._catching_up[client.caller] += 1
        try:
            async with self._open_history() as reader:
                await self._replay(client, reader, send)
                # No `await` since the last comparison with the tail, so the client misses no event.
                self._tail.add_listener(client.offer)
        finally:
            self._catching_up[client.caller] -= 1
            self._catching_up += Counter()  # removes callers without a place

    async def _replay(self, client: _Client, reader: TopicReader[int], send: Send) -> None:
        reader.seek(dict(enumerate(client.vector)))
        sent_at = time.monotonic()
        while self._is_behind_tail(client) and not client.is_ended:
            for partition, records in (await reader.read()).items():
                for record in records:
                    client.vector[partition] = record.offset + 1
                    event = read_streamed_event(partition, record.offset, tuple(record.headers), record.value)
                    if event is not None and client.filter.accepts(event):
                        event.vector = write_vector(client.vector)
                        await _send(send, _frame(event))
                        sent_at = time.monotonic()
                        if client.is_ended:
                            return
            if time.monotonic() - sent_at >= HEARTBEAT_SECONDS:
                await _send(send, _HEARTBEAT)
                sent_at = time.monotonic()
            positions = await reader.positions()
            client.vector = [max(here, positions[partition]) for partition, here in enumerate(client.vector)]

    def _is_behind_tail(self, client: _Client) -> bool:
        return any(here < end for here, end in zip(client.vector, self._tail.vector(), strict=True))

    async def _follow(self, client: _Client, ends_at: float, send: Send) -> EndReason:
        while (left := ends_at - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(min(HEARTBEAT_SECONDS, left)):
                    item = await client.queue.get()
            except TimeoutError:
                if left > HEARTBEAT_SECONDS:
                    await _send(send, _HEARTBEAT)
                continue
            if isinstance(item, EndReason):
                return item
            await _send(send, _frame(item))
        return EndReason.RENEW


def _first_frame(vector: list[int]) -> bytes:
    return b"retry: 2000\nid: %s\n: connected\n\n" % write_vector(vector).encode()


def _frame(event: StreamedEvent) -> bytes:
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event.vector.encode(), event.type.encode(), event.structured())


async def _send(send: Send, data: bytes, *, is_last: bool = False) -> None:
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await send({"type": "http.response.body", "body": data, "more_body": not is_last})
    except TimeoutError:
        raise _TooSlow from None
