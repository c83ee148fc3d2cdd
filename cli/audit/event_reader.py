"""Reads the events of a span of time from Kafka, committed ones only, in order for each authorization."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topic_reader import TopicReader, open_reader, partitions_of
from runtime.settings import ClusterSettings
from schemas.records import PublishedEvent, UnreadableRecord, read_event
from schemas.topics import catalogue, partition_for

# Between the time of an event and the timestamp of its record: the delay of a commit, and how far clocks differ.
LATEST: Final = timedelta(hours=1)


@dataclass(slots=True)
class EventReader:
    """The events of a span. After the last event, the two sets say what the export may lack.

    Attributes:
        since: The first time; None means the oldest event that the topic has.
        until: The first time after the span.
        authorization_id: Read only the events of this authorization.
        unreadable: The number of events that this version cannot read, by partition.
        cut: The partitions whose retention may have removed events of the span; without `since`, any events.
    """

    settings: ClusterSettings
    since: datetime | None
    until: datetime
    authorization_id: str | None = None
    unreadable: Counter[int] = field(default_factory=Counter, init=False)
    cut: frozenset[int] = field(default=frozenset(), init=False)

    @property
    def is_cut(self) -> bool:
        """Whether retention may have removed events of the span; without `since` the span is what is left."""
        return self.since is not None and bool(self.cut)

    def may_lack(self, authorization_id: str) -> bool:
        """Whether an event of the authorization may be missing."""
        partition = partition_for(authorization_id.encode(), self.settings.topics.partitions)
        return partition in self.cut or partition in self.unreadable

    async def events(self) -> AsyncIterator[PublishedEvent]:
        """Yield the events. Raises KafkaFailure."""
        topics = self.settings.topics
        name = catalogue(topics.prefix).events.name
        partitions = partitions_of(name, topics.partitions)
        if self.authorization_id is not None:
            only = partition_for(self.authorization_id.encode(), topics.partitions)
            partitions = {only: partitions[only]}
        async with open_cluster(self.settings.kafka) as cluster:
            found = (await cluster.find_topics([name])).get(name)
        whole_since = _whole_since(found.config if found else None, datetime.now(UTC))
        async with open_reader(self.settings.kafka, partitions) as reader:
            ends = await self._seek(reader, whole_since)
            async for partition, record in reader.read_until(ends):
                event = self._read(partition, record.headers, record.value)
                if event is not None:
                    yield event

    async def _seek(self, reader: TopicReader[int], whole_since: datetime | None) -> dict[int, int]:
        """Seek to the start of the span, and return its end by partition."""
        beginnings, ends = await reader.beginnings(), await reader.ends()
        starts: Mapping[int, int | None] = beginnings
        if self.since is not None:
            starts = await reader.offsets_at(self.since - LATEST)
        stops = await reader.offsets_at(self.until + LATEST)
        # An empty partition has no first record whose time could show what is gone.
        is_old = self.since is None or whole_since is None or self.since - LATEST < whole_since
        self.cut = frozenset(
            partition
            for partition, begin in beginnings.items()
            if begin > 0 and (is_old if begin == ends[partition] else starts[partition] == begin)
        )
        reader.seek({partition: ends[partition] if at is None else at for partition, at in starts.items()})
        return {partition: end if (at := stops[partition]) is None else min(end, at) for partition, end in ends.items()}

    def _read(self, partition: int, headers: object, value: bytes | None) -> PublishedEvent | None:
        event = read_event(headers, value)  # type: ignore[arg-type]  # aiokafka's headers have no types
        if isinstance(event, UnreadableRecord):
            self.unreadable[partition] += 1
            return None
        if self.authorization_id not in {None, event.authorization_id}:
            return None
        is_in_span = (self.since is None or event.time >= self.since) and event.time < self.until
        return event if is_in_span else None


def _whole_since(config: Mapping[str, str] | None, now: datetime) -> datetime | None:
    """Return the time since which Kafka deletes no record; None if the topic's settings do not say it."""
    kept_ms = -1 if config is None or config.get("retention.bytes", "-1") != "-1" else int(config["retention.ms"])
    # Longer than a century is no bound, and no time that Python can compute.
    return now - timedelta(milliseconds=kept_ms) if 0 <= kept_ms < 10**12 * 3 else None
