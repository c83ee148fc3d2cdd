"""The end of `events`, read once for everybody in this process who waits for an outcome or streams.

Starts at the end, reads committed records only, and goes on where it was when its consumer has to be built anew.
Listeners are synchronous and quick. Invariant: caught up means that within the last few seconds the position of every
partition has passed an end that was asked for before.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from adapters.kafka.clients import KafkaFailure
from gateway.ingress.event_stream.streamed_event import StreamedEvent, read_streamed_event
from runtime.health import Health
from runtime.logs import get_log

CALL_SECONDS = 5.0
TURN_SECONDS = 0.5
CHECK_EVERY_SECONDS = 1.0
# How long a partition may lag before readiness says so, and before the consumer is built anew.
LAGGING_SECONDS = 5.0
REBUILD_SECONDS = 30.0
BACKOFF_SECONDS = 1.0

log = get_log()
Listener = Callable[[StreamedEvent], None]


class Record(Protocol):
    """What is read of a Kafka record."""

    offset: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


class Source(Protocol):
    """A reader of committed records of all partitions of one topic; positions are next offsets, by partition."""

    def seek(self, positions: Mapping[int, int]) -> None:
        """Go on reading there."""

    async def ends(self) -> dict[int, int]:
        """Ask where every partition ends for a reader of committed records."""

    async def positions(self) -> dict[int, int]:
        """Say how far has been read, markers included."""

    async def read(self, seconds: float) -> Mapping[int, Sequence[Any]]:
        """Return what has come, by partition; nothing after that many seconds."""


OpenSource = Callable[[], AbstractAsyncContextManager[Source]]


class Tail:
    """Reads on and tells its listeners. `run` must run as a task."""

    def __init__(self, open_source: OpenSource, partitions: int, health: Health, component: str = "events") -> None:
        self._open_source = open_source
        self._health = health
        self._component = component
        self._listeners: dict[Listener, None] = {}
        self._positions: dict[int, int] = {}
        self._vector: list[int] = [0] * partitions
        self.is_caught_up = False
        health.set(component, "starting", "not at the end of the events yet")

    def listen(self, listener: Listener) -> None:
        """Tell this listener of every event from now on."""
        self._listeners[listener] = None

    def forget(self, listener: Listener) -> None:
        """Tell this listener no more, if it was told."""
        self._listeners.pop(listener, None)

    def vector(self) -> list[int]:
        """Return the next offset of every partition: what has been told, and what has not."""
        return list(self._vector)

    async def run(self) -> None:
        """Follow the topic until cancelled."""
        while True:
            with contextlib.suppress(*KafkaFailure):
                async with self._open_source() as source:
                    await self._start(source)
                    await self._follow(source)
            self._say_behind("its reader is being built anew")
            await asyncio.sleep(BACKOFF_SECONDS)

    async def _start(self, source: Source) -> None:
        if not self._positions:
            async with asyncio.timeout(CALL_SECONDS):
                self._positions = await source.ends()
            self._vector = [self._positions[partition] for partition in range(len(self._vector))]
        source.seek(self._positions)

    async def _follow(self, source: Source) -> None:
        """Return when the reader has been behind for too long."""
        beat = self._health.beat("tail")
        ends: dict[int, int] | None = None
        well_at = checked_at = time.monotonic()
        while True:
            async with asyncio.timeout(TURN_SECONDS + CALL_SECONDS):
                batches = await source.read(TURN_SECONDS)
            beat()
            for partition, records in batches.items():
                self._tell(partition, records)
            now = time.monotonic()
            if now - checked_at < CHECK_EVERY_SECONDS and self.is_caught_up:
                continue
            checked_at = now
            async with asyncio.timeout(CALL_SECONDS):
                positions = await source.positions()
            if ends is not None and all(positions.get(partition, 0) >= end for partition, end in ends.items()):
                well_at = now
                self._say_caught_up()
            elif now - well_at > REBUILD_SECONDS:
                return
            elif now - well_at > LAGGING_SECONDS:
                self._say_behind("behind the end of the events")
            self._positions |= positions
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    ends = await source.ends()
            except KafkaFailure as error:
                ends = None
                log.warning("end of events unknown", error=type(error).__name__)

    def _tell(self, partition: int, records: Sequence[Record]) -> None:
        for record in records:
            self._positions[partition] = self._vector[partition] = record.offset + 1
            if not self._listeners:
                continue
            happening = read_streamed_event(partition, record.offset, tuple(record.headers), record.value)
            if happening is None:
                log.warning("event unreadable", partition=partition, offset=record.offset)
                continue
            happening.vector = ".".join(map(str, self._vector))
            for listener in self._listeners:
                listener(happening)

    def _say_caught_up(self) -> None:
        self.is_caught_up = True
        self._health.set(self._component, "ok")

    def _say_behind(self, detail: str) -> None:
        self.is_caught_up = False
        self._health.set(self._component, "waiting", detail)
