"""Two owners of one partition: one of them stops, and no record is lost or doubled."""

import asyncio
import signal

import pytest
from aiokafka import AIOKafkaProducer

from consumers.engine import startup
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.kafka.direct_transaction import DirectTransaction
from tests.chaos.laboratory import cuttable_network, until
from tests.chaos.tally import tasks


@pytest.mark.promise(3)
async def test_another_owner_fences_and_the_partition_starts_again_from_kafka(laboratory):
    async with laboratory.owner():
        await laboratory.append_many(tasks(*range(80), checkpoint=True, seconds=0.02))
        for _ in range(3):
            seen = len(laboratory.seen)
            await until(lambda seen=seen: len(laboratory.seen) > seen)
            for number in range(4):
                intruder = AIOKafkaProducer(
                    bootstrap_servers=laboratory.orders.bootstrap,
                    transactional_id=laboratory.orders.settings().transactional_id(number),
                )
                await intruder.start()
                await intruder.stop()
        await laboratory.append_many(tasks(*range(80, 90)))
        await laboratory.all_finished()
    assert await laboratory.violations() == []


async def test_a_transaction_that_times_out_at_the_broker_is_repeated(laboratory, monkeypatch):
    write, slow = DirectTransaction.write, [True]

    async def write_slowly(transaction, builders, partition):
        written = await write(transaction, builders, partition)
        if laboratory.orders.events in builders and slow:
            slow.clear()
            await asyncio.sleep(2.5)
        return written

    monkeypatch.setattr(DirectTransaction, "write", write_slowly)
    async with laboratory.owner(transaction_timeout_seconds=1.0) as running:
        await laboratory.append_many(tasks(*range(16)))
        await laboratory.all_finished()
        assert running.fenced() == 1
        await until(lambda: running.owns(4))
    assert await laboratory.violations() == []


async def test_an_owner_fenced_by_a_late_zombie_starts_the_partition_again(laboratory, monkeypatch):
    """The zombie confirmed its membership, froze, and continued after its successor had started."""
    confirmed, may_continue = asyncio.Event(), asyncio.Event()
    check = startup._check_membership

    async def check_and_freeze(context):
        await check(context)
        if context.consumer._client._client_id == "zombie" and not confirmed.is_set():
            confirmed.set()
            await may_continue.wait()

    monkeypatch.setattr(startup, "_check_membership", check_and_freeze)
    with cuttable_network() as network:
        async with laboratory.engine("zombie") as zombie:
            await confirmed.wait()
            network.cut("zombie")
            async with laboratory.owner("owner") as owner:
                await laboratory.append_many(tasks(*range(8)))
                await laboratory.all_finished()
                network.mend()
                may_continue.set()
                await laboratory.append_many(tasks(*range(8, 40), checkpoint=True, seconds=0.05))
                await laboratory.all_finished()
                await until(lambda: zombie.owns(2) and owner.owns(2))
    assert await laboratory.violations() == []


async def test_a_worker_that_was_cut_off_starts_no_call_and_commits_nothing_afterwards(laboratory):
    with cuttable_network() as network:
        async with laboratory.owner("old") as old:
            await laboratory.append_many(tasks(*range(16), checkpoint=True, seconds=0.5))
            await until(lambda: (laboratory.directory / "journal").read_text().count("\n") == 8)
            network.cut("old")
            async with laboratory.owner("new") as new:
                await laboratory.append_many(tasks(*range(16, 24)))
                await laboratory.all_finished()
                network.mend()
                await until(lambda: old.owns(2) and new.owns(2))
                await laboratory.append_many(tasks(*range(24, 32)))
                await laboratory.all_finished()
    assert await laboratory.violations() == []


@pytest.mark.promise(3)
async def test_a_process_frozen_past_its_session_timeout_owns_nothing(laboratory):
    old = laboratory.process("old")
    await until(lambda: old.owns(4))
    await laboratory.append_many(tasks(*range(64), checkpoint=True, seconds=0.3))
    await until(lambda: laboratory.seen)
    old.send(signal.SIGSTOP)
    new = laboratory.process("new")
    await until(lambda: new.owns(4))
    await laboratory.append_many(tasks(*range(64, 80), checkpoint=True))
    await until(lambda: len(laboratory.seen) > 40)
    old.send(signal.SIGCONT)
    await laboratory.all_finished()
    await until(lambda: old.owns(2) and new.owns(2))
    assert await laboratory.violations() == []
    assert PartitionStatus.STOPPED not in {*old.statuses().values(), *new.statuses().values()}
