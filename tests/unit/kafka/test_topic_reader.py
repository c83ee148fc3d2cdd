"""A reader up to known ends gives up when Kafka gives nothing more."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from adapters.kafka import topic_reader
from adapters.kafka.topic_reader import TopicReader


async def test_a_read_up_to_the_ends_fails_when_no_position_moves(monkeypatch):
    monkeypatch.setattr(topic_reader, "STALLED_SECONDS", 0.05)
    partition = TopicPartition("events", 0)
    moves = iter((0, 1))

    async def position(_partition):
        return next(moves, 1)

    async def getmany(**_options):
        first = SimpleNamespace(offset=0)
        return {} if next(reads, None) is None else {partition: [first]}

    reads = iter((1,))
    reader = TopicReader(SimpleNamespace(position=position, getmany=getmany), {0: partition}, 1.0)
    found = []

    async def read():
        async for key, record in reader.read_until({0: 2}):
            found.append((key, record.offset))

    with pytest.raises(KafkaTimeoutError, match="no record arrived"):
        await read()
    assert found == [(0, 0)]
