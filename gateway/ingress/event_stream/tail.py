"""The end of `events`, read once for all streams and waiting requests of this process.

`on_record` receives each record as it is, listeners receive it as an event. They are synchronous and must be quick.
Without a listener no record is parsed: most replicas have no open stream, and each of them reads all events.
"""

from collections.abc import Callable

from adapters.kafka.topic_follower import TopicFollower
from adapters.kafka.topic_reader import OpenReader
from gateway.ingress.event_stream.streamed_event import StreamedEvent, read_streamed_event
from runtime.health import Health
from runtime.logs import get_log
from schemas.records import TopicRecord

_COMPONENT = "events"

log = get_log()
Listener = Callable[[StreamedEvent], None]


class Tail:
    """Passes every new event to its listeners. `run` must run as a task."""

    def __init__(
        self,
        open_reader: OpenReader[int],
        partitions: int,
        health: Health,
        *,
        on_record: Callable[[TopicRecord], None] = lambda _record: None,
    ) -> None:
        self._partitions = partitions
        self._health = health
        self._on_record = on_record
        self._listeners: dict[Listener, None] = {}
        self._follower = TopicFollower("events", open_reader, self._take, positions=None, on_check=self._set_health)
        health.set(_COMPONENT, "starting", "not at the end of the events yet")

    @property
    def is_caught_up(self) -> bool:
        """Whether listeners receive events without delay."""
        return self._follower.is_caught_up

    def add_listener(self, listener: Listener) -> None:
        """Pass every event from now on to this listener."""
        self._listeners[listener] = None

    def remove_listener(self, listener: Listener) -> None:
        """Stop passing events to this listener, if it is registered."""
        self._listeners.pop(listener, None)

    def vector(self) -> list[int]:
        """Return the next offset of every partition. Listeners have received every event below."""
        return [self._follower.positions.get(partition, 0) for partition in range(self._partitions)]

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        await self._follower.run(self._health.beat("tail"))

    def _take(self, partition: int, record: TopicRecord) -> None:
        self._on_record(record)
        if not self._listeners:
            return
        event = read_streamed_event(partition, record.offset, tuple(record.headers), record.value)
        if event is None:
            log.warning("ingress.event_unreadable", partition=partition, offset=record.offset)
            return
        event.vector = ".".join(map(str, self.vector()))
        for listener in self._listeners:
            listener(event)

    def _set_health(self, problem: str | None) -> None:
        if problem is None:
            self._health.set(_COMPONENT, "ok")
        else:
            self._health.set_away(_COMPONENT, problem)
