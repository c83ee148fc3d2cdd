"""Brokers that die, freeze and come back while three are there: none of the records is lost or doubled."""

import signal

import pytest

from consumers.engine.core.partition_lifecycle import PartitionStatus
from tests.chaos.laboratory import until

pytestmark = pytest.mark.three_brokers


async def broker_of(laboratory, role):
    """Return the index of the broker that has a role."""
    orders = laboratory.orders
    match role:
        case "group coordinator":
            node = await laboratory.admin.find_coordinator(orders.settings().group)
        case "transaction coordinator":
            node = await laboratory.admin.find_coordinator(orders.settings().transactional_id(0), coordinator_type=1)
        case "leader":
            (described,) = await laboratory.admin.describe_topics([orders.commands])
            (node,) = [row["leader"] for row in described["partitions"] if row["partition"] == 0]
    return node - 1


async def more_is_finished(laboratory, count=40):
    before = len(laboratory.seen)
    # Two requests in a row that a frozen broker never answers take 20 s, a session and a rejoin about as long.
    await until(lambda: len(laboratory.seen) >= before + count, within=100)


# Each of three brokers leads one of the four partitions too.
@pytest.mark.parametrize("role", ["group coordinator", "transaction coordinator"])
async def test_a_broker_that_is_killed_and_restarted_is_survived(laboratory3, kafka3, role):
    async with laboratory3.engine() as running:
        await until(lambda: running.owns(4), within=30)
        async with laboratory3.load(per_second=30):
            await more_is_finished(laboratory3)
            index = await broker_of(laboratory3, role)
            kafka3.kill(index)
            await more_is_finished(laboratory3)
            kafka3.start(index, wait=False)
            await more_is_finished(laboratory3)
        await laboratory3.all_finished(within=40)
        await until(lambda: running.owns(4))
    assert await laboratory3.violations() == []


async def test_a_frozen_and_deposed_leader_stops_nothing(laboratory3, kafka3):
    async with laboratory3.engine() as running:
        await until(lambda: running.owns(4), within=30)
        async with laboratory3.load(per_second=30):
            await more_is_finished(laboratory3)
            index = await broker_of(laboratory3, "leader")
            kafka3.kill(index, signal.SIGSTOP)
            try:
                await more_is_finished(laboratory3, count=60)
            finally:
                kafka3.kill(index, signal.SIGCONT)
            await more_is_finished(laboratory3)
            assert PartitionStatus.STOPPED not in running.statuses().values()
        await laboratory3.all_finished(within=40)
    assert await laboratory3.violations() == []
