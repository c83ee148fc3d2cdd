"""A session of another topic ends; a coordinator that does not answer ends none."""

import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

from consumers.engine import topic_watch


class Partition:
    def __init__(self, topic_id):
        self.session = None if topic_id is None else SimpleNamespace(topic_id=topic_id)
        self.restarted = []

    def restart(self, reason):
        self.restarted.append(reason)
        self.session = None


@pytest.mark.parametrize("trouble", [KafkaConnectionError, UnknownTopicOrPartitionError, TimeoutError, RuntimeError])
async def test_only_sessions_of_another_topic_end_after_any_trouble(monkeypatch, trouble):
    answers = [trouble, "old", "old", "new"]

    async def fetch(_, topic):
        assert topic == "commands"
        found = answers.pop(0)
        if found is trouble:
            raise trouble
        return found

    monkeypatch.setattr(topic_watch, "_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(topic_watch, "fetch_topic_id", fetch)
    partitions = [Partition("old"), Partition("new"), Partition(None)]
    watching = asyncio.create_task(topic_watch.watch(None, "commands", lambda: partitions))
    await asyncio.wait([watching], timeout=0.2)
    watching.cancel()
    await asyncio.wait([watching])
    assert watching.cancelled()
    assert answers == []
    assert [len(partition.restarted) for partition in partitions] == [1, 1, 0]
    assert partitions[0].restarted == ["the topic has the id new now: it was created again"]


async def test_a_consumer_that_takes_long_to_start_is_not_asked(monkeypatch):
    monkeypatch.setattr(topic_watch, "_EVERY_SECONDS", 0.0)
    consumer = AIOKafkaConsumer(group_id="worker")
    watching = asyncio.create_task(topic_watch.watch(consumer, "commands", lambda: [Partition(None)]))
    done, _ = await asyncio.wait([watching], timeout=0.1)
    assert not done
    watching.cancel()
    await consumer.stop()
