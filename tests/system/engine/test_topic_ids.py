"""The input topic is deleted and created again: its partitions stop, and nothing of the new topic is skipped."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer

from adapters.kafka.aiokafka_internals import find_coordinator
from adapters.kafka.topic_metadata import fetch_topic_id
from consumers.engine import startup
from consumers.engine.core.partition_lifecycle import PartitionStatus
from tests.chaos.laboratory import cuttable_network, until
from tests.chaos.tally import Task
from tests.system.engine.test_progress import commit_by_hand

OLD, NEW = 10, 25


def tasks(name, count):
    return [Task(f"{name} {number}", checkpoint=True) for number in range(count)]


async def process_the_old_topic(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", *tasks("old", OLD), partition=0)
        await laboratory.all_finished()


async def create_again(laboratory):
    """The new topic has more records than the old one: the offset of the old progress lies inside its log."""
    await laboratory.delete(laboratory.orders.commands)
    await laboratory.create(laboratory.orders.commands)
    await laboratory.append("key", *tasks("new", NEW), partition=0)


def are_stopped(running):
    return list(running.statuses().values()) == [PartitionStatus.STOPPED] * running.orders.partitions


def causes(laboratory):
    return [seen.cause for seen in laboratory.seen]


async def test_a_topic_that_was_created_again_is_stopped_then_processed_from_its_begin_exactly_once(laboratory):
    await process_the_old_topic(laboratory)
    await create_again(laboratory)
    async with laboratory.engine() as running:
        await until(lambda: are_stopped(running))
        assert all("created again" in partition.detail for partition in running.engine.partitions.values())
        assert len(laboratory.seen) == OLD
        assert sorted(running.resume()) == list(range(running.orders.partitions))
        await laboratory.all_finished()
    async with laboratory.owner() as running:  # the record is of the new topic
        await laboratory.append("key", Task("last"), partition=0)
        await laboratory.all_finished()
    assert causes(laboratory) == [task.id for task in (*tasks("old", OLD), *tasks("new", NEW), Task("last"))]
    sequences = [output.sequence for output in (await laboratory.history()).outputs]
    assert sequences == list(range(1, len(sequences) + 1))  # the state was kept


async def test_partitions_start_after_their_topic_of_outputs_was_created_again(laboratory):
    """The last transaction's place in the old log lies beyond the end of the new one."""
    await process_the_old_topic(laboratory)
    await laboratory.delete(laboratory.orders.events)
    await laboratory.create(laboratory.orders.events)
    async with laboratory.owner():
        await laboratory.append("key", Task("after"), partition=0)
        await until(lambda: "after" in causes(laboratory))


async def test_a_topic_that_is_created_again_under_a_running_reader_stops_the_partitions(laboratory):
    """The reader hears nothing of it: it fetches at its old position in the new topic."""
    with cuttable_network() as network:
        async with laboratory.engine(session_seconds=20.0) as running:
            await laboratory.append("key", *tasks("old", OLD), partition=0)
            await laboratory.all_finished()
            network.cut("one")
            await until(lambda: "FetchRequest" in network.waiting)
            await create_again(laboratory)
            network.mend()
            await until(lambda: are_stopped(running))
            assert not {task.id for task in tasks("new", OLD)} & set(causes(laboratory))
            running.resume()
            await until(lambda: laboratory.finished >= laboratory.appended.keys())
    assert causes(laboratory).count("new 0") == 1


async def test_a_topic_that_is_created_again_during_a_start_is_not_taken_for_the_old_one(laboratory, monkeypatch):
    """The start has read the old id, and then the offsets of the new log."""
    await process_the_old_topic(laboratory)
    fetch = startup.fetch_topic_id
    is_created = asyncio.Event()

    async def fetch_before(consumer, topic):
        found = await fetch(consumer, topic)
        if not is_created.is_set():
            network.cut("one")  # the reader hears nothing of it
            await is_created.wait()
        return found

    with cuttable_network() as network:
        monkeypatch.setattr(startup, "fetch_topic_id", fetch_before)
        async with laboratory.engine(session_seconds=20.0) as running:
            await until(lambda: "one" in network._cut)
            await create_again(laboratory)
            is_created.set()
            network.mend()
            await until(lambda: are_stopped(running), within=30)
            running.resume()
            await until(lambda: laboratory.finished >= laboratory.appended.keys())
    assert causes(laboratory).count("new 0") == 1


async def id_of(bootstrap, topic):
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=f"{topic}.reader") as consumer:
        await find_coordinator(consumer)
        return await fetch_topic_id(consumer, topic)


def now(laboratory):
    return id_of(laboratory.orders.bootstrap, laboratory.orders.commands)


async def copied_topics(laboratory):
    offsets = await laboratory.admin.list_consumer_group_offsets(laboratory.orders.settings().group)
    return {source.partition: at.metadata for source, at in offsets.items()}


async def test_a_copy_names_its_topic(laboratory):
    await process_the_old_topic(laboratory)
    assert await copied_topics(laboratory) == dict.fromkeys(range(4), await now(laboratory))


@pytest.mark.usefixtures("no_regular_copies")
async def test_a_copy_of_the_deleted_topic_is_not_ahead_of_the_new_topics_progress(laboratory):
    """Kafka deletes the copies of a deleted topic, but a late one may arrive after that."""
    await process_the_old_topic(laboratory)
    old = await now(laboratory)
    await create_again(laboratory)
    async with laboratory.engine(drain_seconds=0.0) as running:
        await until(lambda: are_stopped(running))
        running.resume()
        await laboratory.all_finished()
    await commit_by_hand(laboratory, 1_000, old)
    async with laboratory.owner() as running:
        await laboratory.append("key", Task("last"), partition=0)
        await laboratory.all_finished()
    assert causes(laboratory).count("new 0") == 1
