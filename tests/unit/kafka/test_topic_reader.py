"""A reader up to known ends gives up when Kafka gives nothing more."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from adapters.kafka import topic_reader
from adapters.kafka.topic_reader import TopicReader
from cli.deliverer import redelivery

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class Consumer:
    """A consumer whose partition 1 has one record and then stalls; partition 0 goes on behind its end."""

    def __init__(self, partitions):
        self._partitions = partitions
        self._positions = [0, 0]

    async def position(self, partition):
        return self._positions[partition.partition]

    async def end_offsets(self, partitions):
        return dict.fromkeys(partitions, 2)

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    def seek(self, partition, offset):
        self._positions[partition.partition] = offset

    def resume(self, *_partitions):
        pass

    async def getmany(self, **_options):
        await asyncio.sleep(0)
        batches = {}
        for partition in self._partitions:
            offset = self._positions[partition.partition]
            if partition.partition == 0 or offset < 1:
                batches[partition] = [SimpleNamespace(offset=offset, headers=(), value=b"")]
                self._positions[partition.partition] += 1
        return batches


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.setattr(topic_reader, "STALLED_SECONDS", 0.05)
    partitions = {number: TopicPartition("events", number) for number in range(2)}
    return TopicReader(Consumer(partitions.values()), partitions, 1.0)


async def test_a_read_up_to_the_ends_fails_when_a_partition_stalls_before_its_end(reader):
    found = []

    async def read():
        async with asyncio.timeout(5):
            async for key, record in reader.read_until({0: 2, 1: 2}):
                found.append((key, record.offset))

    with pytest.raises(KafkaTimeoutError, match="no record arrived"):
        await read()
    assert found == [(0, 0), (1, 0), (0, 1)]


async def test_a_redrive_from_a_position_fails_when_a_partition_stalls(reader, monkeypatch):
    @asynccontextmanager
    async def open_reader(*_):
        yield reader

    async def aclose():
        pass

    monkeypatch.setattr(redelivery, "open_reader", open_reader)
    monkeypatch.setattr(redelivery, "_transport", lambda _: SimpleNamespace(aclose=aclose))
    subscription = SimpleNamespace(secrets=(), accepts=None)
    settings = SimpleNamespace(kafka=None, topics=SimpleNamespace(prefix="", partitions=2))
    read = []

    async def redrive():
        async with asyncio.timeout(5):
            await redelivery.redrive_from(settings, subscription, SINCE, lambda event, _: read.append(event.offset))

    monkeypatch.setattr(reader, "offsets_at", lambda _: reader.beginnings())
    with pytest.raises(KafkaTimeoutError, match="no record arrived"):
        await redrive()
    assert sorted(read) == [0, 0, 1]
