"""A subscriber of `events`, for the demo and tests.

The listener reads read_committed and without a group. It knows the published formats only.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from local.processes.patience import Patience
from schemas.cloudevents import from_kafka
from schemas.enums import PREFIX
from schemas.topics import catalogue

TAKE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """An event. `kind` is its type without prefix and version."""

    authorization_id: str
    sequence: int
    kind: str
    at: datetime | None
    caused_by: str | None
    data: dict[str, Any]
    sequence_text: str


class Listener:
    """Reads events and keeps all of them. Only one task may read at a time."""

    def __init__(self, consumer: AIOKafkaConsumer, on_event: Callable[[Event], None]) -> None:
        self.events: list[Event] = []
        self._consumer, self._on_event = consumer, on_event
        self._reading: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def in_background(self) -> AsyncIterator[None]:
        """Read all the time in a task, of which `require_reading` raises the error."""

        async def read() -> None:
            while True:
                await self.take(0.5)

        self._reading = asyncio.create_task(read())
        try:
            yield
        finally:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def require_reading(self) -> None:
        """Raise the error with which the task in the background has ended."""
        if self._reading is not None and self._reading.done():
            self._reading.result()

    async def skip(self) -> None:
        """Continue at the end of the topic."""
        # `seek_to_end` would get the offset of a reset to the beginning that is under way (aiokafka 0.14).
        for partition, end in (await self._consumer.end_offsets(self._consumer.assignment())).items():
            self._consumer.seek(partition, end)

    async def take(self, within_seconds: float) -> list[Event]:
        """Return the next events; the list is empty if none arrives in time."""
        received = await self._consumer.getmany(timeout_ms=int(within_seconds * 1000))
        events = [_event(record) for records in received.values() for record in records]
        for event in events:
            self.events.append(event)
            self._on_event(event)
        return events

    async def wait_for(self, kind: str, within_seconds: float, **data: object) -> Event:
        """Return the first event of a kind whose data has these values.

        Raises TimeoutError if there is no such event in time, which is longer on a busy machine.
        """
        candidates, patience = self.events, Patience(within_seconds)
        while True:
            for event in candidates:
                if event.kind == kind and data.items() <= event.data.items():
                    return event
            if patience.is_over:
                raise TimeoutError(f"no {kind} within {within_seconds:.0f} s")
            candidates = await self.take(TAKE_SECONDS)


def _event(record: ConsumerRecord) -> Event:
    envelope = from_kafka(record.headers, record.value)
    return Event(
        authorization_id=envelope.subject or "",
        sequence=int(envelope.extensions["sequence"]),
        kind=envelope.type.removeprefix(PREFIX).rpartition(".")[0],
        at=envelope.time,
        caused_by=envelope.extensions.get("causationid"),
        data=json.loads(envelope.data or b"{}"),
        sequence_text=envelope.extensions["sequence"],
    )


@asynccontextmanager
async def listening(
    bootstrap: str, prefix: str, on_event: Callable[[Event], None] = lambda _: None
) -> AsyncIterator[Listener]:
    """Listen from the first event on; call `on_event` with each event."""
    consumer = AIOKafkaConsumer(
        catalogue(prefix).events.name,
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        metadata_max_age_ms=5_000,  # a topic that is created again is soon found
    )
    async with consumer:
        yield Listener(consumer, on_event)
