"""The progress as a record of `state`: stale copies, losses, waits of one key, and the group's copy."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from consumers.engine import RetryAt, startup
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.core.progress import PROGRESS_KEY
from consumers.engine.kafka.direct_transaction import DirectTransaction
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.progress_copy import ProgressCopier
from local.judge.whole_topic import read_topic
from local.processes.patience import within
from schemas.events.wait_reasons import WaitReason
from tests.chaos.laboratory import until
from tests.chaos.tally import Journal, TallyHandler, Task, tasks

LATER = 4_000  # twice the records that the engine reads ahead


async def group_offsets(laboratory):
    offsets = await laboratory.admin.list_consumer_group_offsets(laboratory.orders.settings().group)
    return {source.partition: offset.offset for source, offset in offsets.items()}


async def records_per_partition(laboratory):
    orders = laboratory.orders
    records = await read_topic(orders.bootstrap, orders.commands, orders.partitions)
    return {number: sum(record.partition == number for record in records) for number in range(orders.partitions)}


@pytest.mark.parametrize("answers", ["an earlier copy", "nothing"])
async def test_a_coordinator_that_answers_from_old_memory_repeats_nothing(laboratory, monkeypatch, answers):
    """Cut off from its peers, it answers OffsetFetch without knowing of later commits."""
    fetch = startup.fetch_committed
    async with laboratory.owner() as running:
        await laboratory.append_many(tasks(*range(16)))
        await laboratory.all_finished()
        (partition, *_) = running.engine.partitions.values()
        sources = [TopicPartition(laboratory.orders.commands, number) for number in range(4)]
        await until(
            lambda: all(one.session.dispatcher.results.commits.is_flushed for one in running.engine.partitions.values())
        )
        old = await fetch(partition._consumer, laboratory.orders.settings().group, sources)
        if answers == "nothing":
            old = dict.fromkeys(old)
    async with laboratory.engine():
        await laboratory.append_many(tasks(*range(16, 64), checkpoint=True))
        await laboratory.all_finished()

    async def fetch_from_old_memory(consumer, group, wanted):
        await fetch(consumer, group, wanted)
        return {source: old[source] for source in wanted}

    monkeypatch.setattr(startup, "fetch_committed", fetch_from_old_memory)
    async with laboratory.owner() as running:
        await laboratory.append_many(tasks(*range(64, 80), checkpoint=True))
        await laboratory.all_finished()
    assert await laboratory.violations() == []


async def test_one_key_that_waits_does_not_stop_its_partition_after_thousands_of_later_offsets(laboratory):
    laboratory.patience_seconds = 90.0

    class Handler(TallyHandler):
        async def on_record(self, invocation, record):
            if record.key == b"stuck":
                return RetryAt(invocation.now + 0.5, WaitReason.BACKOFF)
            return await super().on_record(invocation, record)

    journal = Journal(laboratory.directory / "journal", "one")
    async with laboratory.owner("one", Handler(laboratory.orders.events, journal), session_seconds=10.0) as running:
        await laboratory.append("stuck", Task("stuck"), partition=0)
        partition = running.engine.partitions[0]
        for first in range(0, LATER, 1_000):
            sends = []
            for number in range(first, first + 1_000):
                task, key = Task(f"{number}"), b"key-%d" % (number % 50)
                sends.append(
                    await laboratory.producer.send(laboratory.orders.commands, task.encode(), key=key, partition=0)
                )
                laboratory.appended[task.id] = 0.0
            await asyncio.gather(*sends)
        await until(lambda: len(laboratory.finished) == LATER, within=90)
        assert partition.session.buffer.gap == LATER + 1
        assert not partition.is_paused
    async with laboratory.engine(session_seconds=10.0) as running:
        await until(lambda: "stuck" in laboratory.finished, within=30)
        await until(lambda: running.engine.partitions[0].session.buffer.gap == 0, within=30)
    journal.close()
    assert len(laboratory.seen) == LATER + 1
    assert await laboratory.violations() == []


async def test_the_copy_follows_within_five_seconds_and_at_a_stop(laboratory):
    # A copy that meets a lost coordinator is dropped. Heartbeats of a short session lose it on a busy machine.
    async with laboratory.owner(session_seconds=10.0):
        await laboratory.append_many(tasks(*range(40)))
        await laboratory.all_finished()
        expected = await records_per_partition(laboratory)
        async with within(5):
            while await group_offsets(laboratory) != expected:  # noqa: ASYNC110 - the broker sends no event
                await asyncio.sleep(0.1)
        await laboratory.append_many(tasks(*range(40, 80)))
        await laboratory.all_finished()
    assert await group_offsets(laboratory) == await records_per_partition(laboratory)


@pytest.mark.usefixtures("no_regular_copies")
async def test_the_copy_is_written_before_a_partition_moves(laboratory):
    async with laboratory.owner("first") as first:
        await laboratory.append_many(tasks(*range(40)))
        await laboratory.all_finished()
        async with laboratory.engine("second") as second:
            await until(lambda: first.owns(2) and second.owns(2))
            assert await group_offsets(laboratory) == await records_per_partition(laboratory)


@pytest.mark.usefixtures("no_regular_copies")
async def test_a_copy_counts_nothing_that_is_not_committed(laboratory, monkeypatch):
    commit, is_committing, may_commit = DirectTransaction.commit, asyncio.Event(), asyncio.Event()

    async def commit_later(transaction):
        is_committing.set()
        await may_commit.wait()
        await commit(transaction)

    async with laboratory.owner() as running:
        monkeypatch.setattr(DirectTransaction, "commit", commit_later)
        await laboratory.append("key", Task("0"), partition=0)
        await is_committing.wait()
        membership = running.engine.partitions[0]._membership
        copier = ProgressCopier(membership._consumer, laboratory.orders.settings(), running.engine.partitions.values)
        await copier.write(membership.generation)
        assert await group_offsets(laboratory) == dict.fromkeys(range(4), 0)
        may_commit.set()
        await laboratory.all_finished()
    assert await group_offsets(laboratory) == await records_per_partition(laboratory)


@pytest.mark.usefixtures("no_regular_copies")
async def test_a_copy_by_a_former_member_is_rejected(laboratory):
    async with laboratory.owner("first") as first:
        (partition, *_) = first.engine.partitions.values()
        former, membership = partition._generation, partition._membership
        async with laboratory.engine("second") as second:
            await until(lambda: first.owns(2) and second.owns(2))
            await laboratory.append_many(tasks(*range(40)))
            await laboratory.all_finished()
            partitions = first.engine.partitions.values
            copier = ProgressCopier(membership._consumer, laboratory.orders.settings(), partitions)
            before = await group_offsets(laboratory)
            await copier.write(former)
            assert await group_offsets(laboratory) == before
            await copier.write(membership.generation)
            assert await group_offsets(laboratory) != before


async def commit_by_hand(laboratory, offset, metadata=""):
    """Commit an offset of partition 0, and return when a reader sees it."""
    group = laboratory.orders.settings().group
    source = TopicPartition(laboratory.orders.commands, 0)
    other = AIOKafkaProducer(
        bootstrap_servers=laboratory.orders.bootstrap, transactional_id=f"{laboratory.orders.prefix}other"
    )
    async with other, other.transaction():
        await other.send_offsets_to_transaction({source: OffsetAndMetadata(offset, metadata)}, group)
    async with within(5):
        while (await group_offsets(laboratory)).get(0) != offset:  # noqa: ASYNC110 - the broker sends no event
            await asyncio.sleep(0.1)


async def stops(laboratory, why):
    """Start, see partition 0 stop for this reason and the others run, then resume it."""
    async with laboratory.engine() as running:
        await until(lambda: running.statuses().get(0) is PartitionStatus.STOPPED)
        assert why in running.engine.partitions[0].detail
        await until(lambda: [running.statuses().get(number) for number in (1, 2, 3)] == [PartitionStatus.RUNNING] * 3)
        assert running.resume() == [0]
        await until(lambda: running.owns(4))
    async with laboratory.owner() as running:
        await laboratory.append("key", Task("last"), partition=0)
        await until(lambda: "last" in laboratory.finished)


async def test_a_lost_state_topic_stops_the_partition(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", Task("0"), Task("1"), partition=0)
        await laboratory.all_finished()
    await laboratory.delete(laboratory.orders.state)
    await laboratory.create(laboratory.orders.state)
    async with laboratory.engine() as running:
        await until(lambda: set(running.statuses().values()) == {PartitionStatus.STOPPED})
        assert "the state topic was lost" in running.engine.partitions[0].detail
        assert sorted(running.resume()) == [0, 1, 2, 3]
        await until(lambda: running.owns(4))
        await laboratory.append("key", Task("2"), partition=0)
        await laboratory.all_finished()
    # Resuming continued at the copy: nothing was processed again.
    assert [seen.cause for seen in laboratory.seen] == ["0", "1", "2"]


async def test_a_lost_state_topic_stops_its_partitions_also_without_the_groups_offsets(laboratory):
    async with laboratory.engine(has_evidence=True):
        await laboratory.append("key", Task("0"), partition=0)
        await laboratory.all_finished()
    await laboratory.forget_offsets()
    await laboratory.delete(laboratory.orders.state)
    await laboratory.create(laboratory.orders.state)
    async with laboratory.engine(has_evidence=True) as running:
        stopped = [PartitionStatus.STOPPED, *[PartitionStatus.RUNNING] * 3]  # the others have no events
        await until(lambda: [running.statuses().get(number) for number in range(4)] == stopped)
        assert "the state topic and the group's offsets were lost" in running.engine.partitions[0].detail
    assert [seen.cause for seen in laboratory.seen] == ["0"]


async def test_a_copy_ahead_of_the_record_stops_the_partition(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", Task("0"), Task("1"), partition=0)
        await laboratory.all_finished()
    await laboratory.append("key", Task("moved over"), partition=0)
    await commit_by_hand(laboratory, 3)
    await stops(laboratory, "the end of the state topic was lost, or another program moved the group's offset")
    assert [seen.cause for seen in laboratory.seen] == ["0", "1", "last"]


async def test_an_unknown_record_stops_the_partition(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", Task("0"), partition=0)
        await laboratory.all_finished()
    await laboratory.producer.send_and_wait(laboratory.orders.state, b'{"v":1}', key=PROGRESS_KEY, partition=0)
    await stops(laboratory, "Deploy that release again")
    assert [seen.cause for seen in laboratory.seen] == ["0", "last"]


@pytest.mark.promise(3)
async def test_an_offset_that_is_moved_back_has_no_effect(laboratory):
    async with laboratory.engine():
        await laboratory.append("key", Task("0"), Task("1"), partition=0)
        await laboratory.all_finished()
    await commit_by_hand(laboratory, 1)
    async with laboratory.owner():
        await laboratory.append("key", Task("2"), partition=0)
        await laboratory.all_finished()
    assert await group_offsets(laboratory) == await records_per_partition(laboratory)
    assert [seen.cause for seen in laboratory.seen] == ["0", "1", "2"]


STEPS = {
    "initialised": (startup, "fetch_committed", "before"),
    "copy read": (Transactions, "write_marker", "before"),
    "marker committed": (Transactions, "write_marker", "after"),
    "restored": (startup, "_restore", "after"),
    "record open": (DirectTransaction, "write", "after"),
    "record committed": (Transactions, "commit", "after"),
}


@pytest.mark.parametrize("owned", ["by no worker", "by another worker"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_start_that_ends_between_two_steps_changes_nothing(laboratory, monkeypatch, step, owned):
    """Each partition's first start ends there. A start writes a record only if there is none."""
    if owned == "by another worker":
        async with laboratory.owner(drain_seconds=0.0):
            await laboratory.append("slow", Task("slow", checkpoint=True, seconds=1.0))
            await laboratory.append_many(tasks(*range(24), checkpoint=True))
            await until(lambda: len(laboratory.finished) >= 24)
    owner, name, place = STEPS[step]
    function, left = getattr(owner, name), [None] * 4

    async def end_there(*arguments, **options):
        if left and place == "before":
            left.pop()
            raise KafkaError("the test ends the start here")
        result = await function(*arguments, **options)
        if left and place == "after":
            left.pop()
            raise KafkaError("the test ends the start here")
        return result

    monkeypatch.setattr(owner, name, end_there)
    async with laboratory.owner():
        await laboratory.append_many(tasks(*range(24, 32)))
        await laboratory.all_finished()
        assert left == [] or (step, owned) == ("record committed", "by another worker")
    assert await laboratory.violations() == []
