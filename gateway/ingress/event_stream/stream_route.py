"""GET /v1/events: events as server-sent events, from now on or from the client's last position.

    Last-Event-ID (next offset of every partition) ──▶ catch up from the topic ──▶ follow the tail
    none ───────────────────────────────────────────────────────────────────────▶ follow the tail

The `id` of an event is the vector of next offsets after it. With it a client misses no event at any replica. The client
may receive events between two ids again; `sequence` identifies them. The number of streams is bounded, in all, for a
caller and for all people of a prefix. The gateway sends a reason before it ends a stream.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.kafka.topic_reader import OpenReader
from gateway.ingress.api_http.api_problems import KafkaUnavailable, Stopping
from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.query import read_query
from gateway.ingress.api_http.request import disconnected
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.auth.shares import shares_of
from gateway.ingress.event_stream.stream import EndReason, EventStream
from gateway.ingress.event_stream.stream_filter import StreamFilter, read_vector
from gateway.ingress.event_stream.tail import Tail
from runtime.http_server.port_problems import Overloaded
from runtime.metrics import IngressMetrics
from schemas.api.queries import EventsQuery
from schemas.callers import pool_of

MAX_CATCHING_UP = 8
_HEADERS = {"content-type": "text/event-stream", "x-accel-buffering": "no"}


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
        self._clients: set[EventStream] = set()
        self._catching_up: Counter[str] = Counter()
        self._is_stopping = False
        metrics.streams.set_function(lambda: len(self._clients))

    async def events(self, request: Request) -> Response:
        """GET /v1/events?type=…&authorizationId=…, both repeatable."""
        caller = self._access.admit(request)
        query = read_query(request, EventsQuery)
        stream_filter = StreamFilter(frozenset(query.type), frozenset(query.authorization_id))
        since = read_vector(context_of(request.scope).headers.get(b"last-event-id"), self._partitions)
        if request.method == "HEAD":
            return Response(headers=_HEADERS)
        self._require_room(caller.name, is_catching_up=since is not None)
        client = EventStream(
            self._tail, self._open_history, self._catching_up, stream_filter, caller.name, self._tail.vector()
        )
        self._clients.add(client)

        async def write(receive: Receive, send: Send) -> EndReason:
            departure = asyncio.create_task(disconnected(receive))
            departure.add_done_callback(lambda _: client.end(EndReason.CLIENT))
            try:
                reason = await client.serve(since, self._life_seconds, send)
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
        shares = shares_of(caller, self._max_streams, self._max_per_caller)
        taken = Counter(name for client in self._clients for name in {client.caller, pool_of(client.caller)})
        is_full = len(self._clients) >= self._max_streams or any(taken[name] >= shares[name] for name in shares)
        if is_full or (is_catching_up and self._is_history_busy(caller)):
            self._metrics.shed.labels("streams").inc()
            raise Overloaded("Keep fewer streams, or connect again later.", retry_after_seconds=10)
        if not self._tail.is_caught_up:
            raise KafkaUnavailable("The events can't be read now. Connect again.", retry_after_seconds=2)

    def _is_history_busy(self, caller: str) -> bool:
        """Whether too many streams catch up; a service, or all people of a prefix, have at most half of the places."""
        own = self._catching_up[pool_of(caller)]
        return self._catching_up.total() >= MAX_CATCHING_UP or own >= MAX_CATCHING_UP // 2
