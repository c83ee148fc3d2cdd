"""Partitions move between processes and come back; processes stop in order."""

import asyncio
import signal
from collections import Counter

import pytest

from adapters.kafka.clients import bounded_stop
from consumers.engine import engine
from consumers.engine.partition import Partition
from tests.chaos.laboratory import cuttable_network, until
from tests.chaos.tally import Task, tasks


async def test_a_partition_whose_task_ends_by_a_cancellation_does_not_stand_still(laboratory):
    async with laboratory.owner() as running:
        owners = [task for task in asyncio.all_tasks() if is_partitions(task)]
        assert len(owners) == 4
        owners[0].cancel()
        await laboratory.append_many(tasks(*range(40), checkpoint=True))
        await laboratory.all_finished()
        await until(lambda: running.owns(4))
    assert await laboratory.violations() == []


def is_partitions(task):
    """Whether a task is the one of a partition."""
    return getattr(task.get_coro(), "cr_code", None) is engine._run.__code__


async def test_a_session_continues_after_a_rebalance_with_its_running_invocations(laboratory):
    async with laboratory.owner("first") as first:
        kept = first.dispatchers()
        await laboratory.append_many(tasks(*range(8), seconds=2.0, checkpoint=True))
        await until(lambda: sum(one.running for one in first.dispatchers().values()) == 8)
        async with laboratory.engine("second") as second:
            await until(lambda: first.owns(2) and second.owns(2))
            stayed = set(first.engine.partitions)
            assert all(one is kept[number] for number, one in first.dispatchers().items())
            await laboratory.append_many(tasks(*range(8, 24)))
            await laboratory.all_finished()
        await until(lambda: first.owns(4))
        assert sum(one is kept[number] for number, one in first.dispatchers().items()) == 2
        await laboratory.append_many(tasks(*range(24, 32)))
        await laboratory.all_finished()
    assert await laboratory.violations() == []
    # Invocations of the partitions that stayed ran once; the new owner repeated the others.
    begun = Counter(effect.cause for effect in (await laboratory.history()).effects)
    partitions = {seen.cause: seen.partition for seen in laboratory.seen if int(seen.cause) < 8}
    assert {begun[cause] for cause, number in partitions.items() if number in stayed} == {1}, begun


async def test_a_static_member_that_restarts_disturbs_no_other_member(laboratory):
    async with (
        laboratory.engine("first", member="first") as first,
        laboratory.engine("second", member="second") as other,
    ):
        await until(lambda: first.owns(2) and other.owns(2))
        before = other.dispatchers()
        mine = set(first.statuses())
        await first.end()
        await laboratory.append_many(tasks(*range(16)))
        async with laboratory.engine("first again", member="first") as again:
            await laboratory.all_finished()
            assert set(again.statuses()) == mine
        assert other.dispatchers() == before
    assert await laboratory.violations() == []


async def test_workers_that_swap_their_static_ids_under_load_lose_and_double_nothing(laboratory):
    """Each new worker takes the id of a worker that still runs, as pods do whose names are swapped."""
    async with (
        laboratory.engine("first", member="first") as first,
        laboratory.engine("second", member="second") as second,
    ):
        await until(lambda: first.owns(2) and second.owns(2))
        await laboratory.append_many(tasks(*range(80), checkpoint=True, seconds=0.05))
        await until(lambda: laboratory.seen)
        async with (
            laboratory.engine("third", member="second") as third,
            laboratory.engine("fourth", member="first") as fourth,
        ):
            await asyncio.gather(first.end(), second.end())
            await laboratory.append_many(tasks(*range(80, 120), checkpoint=True))
            await until(lambda: third.owns(2) and fourth.owns(2), within=30)
            await laboratory.all_finished(within=30)
    assert await laboratory.violations() == []


async def test_a_stop_waits_for_invocations_and_commits_their_results(laboratory):
    async with laboratory.engine("first") as first:
        await laboratory.append("key", Task("runs", checkpoint=True, seconds=1.0), Task("queued", checkpoint=True))
        await until(lambda: (laboratory.directory / "journal").read_text().count("runs"))
        await first.end()
    await until(lambda: laboratory.finished == {"runs"})
    async with laboratory.engine("second"):
        await laboratory.all_finished()
    assert await laboratory.violations() == []
    assert [effect.cause for effect in (await laboratory.history()).effects] == ["runs", "queued"]


async def test_a_stop_does_not_wait_for_an_invocation_that_hangs(laboratory):
    async with laboratory.engine("first", drain_seconds=0.5) as first:
        await laboratory.append("key", Task("hangs", hangs=1), Task("queued"))
        await until(
            lambda: any(
                partition.session and partition.session.dispatcher.running
                for partition in first.engine.partitions.values()
            )
        )
        await first.end(within=5)
    async with laboratory.engine("second", timeout_seconds=0.5):
        await laboratory.all_finished()
    assert await laboratory.violations() == []


async def test_a_stopping_worker_starts_no_new_partition(laboratory, monkeypatch):
    """A rebalance between the end of the partitions and the end of the consumer: all workers restart at once."""
    may_end = asyncio.Event()

    async def slowly(producer):
        await may_end.wait()
        await bounded_stop(producer)

    async with laboratory.owner("first") as first:
        monkeypatch.setattr("consumers.engine.partition.bounded_stop", slowly)
        first.stop.set()
        await until(lambda: all(partition._is_closing for partition in first.engine.partitions.values()))
        async with laboratory.engine("second") as second:
            await until(lambda: len(second.statuses()) == 2)
            may_end.set()
            await first.end(within=10)
            await until(lambda: second.owns(4))


async def test_a_stop_ends_a_rebalance_without_kafka(laboratory, monkeypatch):
    with cuttable_network() as network:
        async with laboratory.owner("first") as first:

            async def lose_kafka(partition):
                network.cut("first", refuse=True)

            monkeypatch.setattr(Partition, "flush", lose_kafka)
            async with laboratory.engine("second"):
                await until(lambda: first.engine.is_rebalancing)
                first.stop.set()
                await asyncio.wait([first.task], timeout=15)
                assert first.task.done()


async def test_a_stop_ends_the_wait_for_an_unreachable_group(laboratory):
    with cuttable_network() as network:
        network.cut("first")
        async with laboratory.engine("first") as first:
            await asyncio.sleep(0.5)
            first.stop.set()
            await asyncio.wait([first.task], timeout=10)
            assert first.task.done()


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
async def test_a_process_that_ends_loses_and_doubles_no_record(laboratory, sig):
    first = laboratory.process("first", member="one")
    await until(lambda: first.owns(4))
    await laboratory.append_many(tasks(*range(200), seconds=0.02, checkpoint=True))
    await until(lambda: len(laboratory.seen) > 40)
    first.send(sig)
    assert first.exit_code == (0 if sig == signal.SIGTERM else -sig)
    laboratory.process("second", member="one")
    await laboratory.all_finished()
    assert await laboratory.violations() == []
