"""Reads the events of a span of time from Kafka, committed ones only, in order for each authorization."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from adapters.kafka.topic_reader import TopicReader, open_reader, partitions_of
from runtime.settings import ClusterSettings
from schemas.records import PublishedEvent, UnreadableRecord, read_event
from schemas.topics import catalogue, partition_for

# A record is written after the time in its event. The delay is always far below this bound.
LATEST: Final = timedelta(hours=1)


@dataclass(slots=True)
class EventReader:
    """The events of a span. After the last event, the two counters say what the export may lack.

    Attributes:
        since: The first time; None means the oldest event that the topic has.
        until: The first time after the span.
        authorization_id: Read only the events of this authorization.
        unreadable: The events that this version cannot read.
        cut_partitions: The partitions whose retention may have removed events of the span.
    """

    settings: ClusterSettings
    since: datetime | None
    until: datetime
    authorization_id: str | None = None
    unreadable: int = field(default=0, init=False)
    cut_partitions: int = field(default=0, init=False)

    async def events(self) -> AsyncIterator[PublishedEvent]:
        """Yield the events. Raises KafkaFailure."""
        topics = self.settings.topics
        partitions = partitions_of(catalogue(topics.prefix).events.name, topics.partitions)
        if self.authorization_id is not None:
            only = partition_for(self.authorization_id.encode(), topics.partitions)
            partitions = {only: partitions[only]}
        async with open_reader(self.settings.kafka, partitions) as reader:
            ends = await self._seek(reader)
            async for _, record in reader.read_until(ends):
                event = self._read(record.headers, record.value)
                if event is not None:
                    yield event

    async def _seek(self, reader: TopicReader[int]) -> dict[int, int]:
        """Seek to the start of the span, and return its end by partition."""
        beginnings, ends = await reader.beginnings(), await reader.ends()
        starts = beginnings if self.since is None else await reader.offsets_at(self.since)
        stops = await reader.offsets_at(self.until + LATEST)
        if self.since is not None:
            self.cut_partitions = sum(
                0 < beginnings[partition] == start for partition, start in starts.items() if start is not None
            )
        reader.seek({partition: ends[partition] if at is None else at for partition, at in starts.items()})
        return {partition: end if (at := stops[partition]) is None else min(end, at) for partition, end in ends.items()}

    def _read(self, headers: object, value: bytes | None) -> PublishedEvent | None:
        event = read_event(headers, value)  # type: ignore[arg-type]  # aiokafka's headers have no types
        if isinstance(event, UnreadableRecord):
            self.unreadable += 1
            return None
        if self.authorization_id not in {None, event.authorization_id}:
            return None
        is_in_span = (self.since is None or event.time >= self.since) and event.time < self.until
        return event if is_in_span else None
