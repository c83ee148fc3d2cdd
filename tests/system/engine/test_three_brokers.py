"""Brokers that die, freeze and come back while three are there: none of the records is lost or doubled."""

import signal

import pytest

from consumers.engine.core.partition_lifecycle import PartitionStatus
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import until

pytestmark = pytest.mark.three_brokers


@pytest.fixture
def orders(kafka3, prefix, tmp_path):
    return Orders(kafka3.bootstrap, prefix, str(tmp_path / "journal"), "one")


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
async def test_a_broker_that_is_killed_and_restarted_is_survived(laboratory, kafka3, role):
    async with laboratory.owner(within=30) as running:
        async with laboratory.load(per_second=30):
            await more_is_finished(laboratory)
            index = await broker_of(laboratory, role)
            kafka3.kill(index)
            await more_is_finished(laboratory)
            kafka3.start(index, wait=False)
            await more_is_finished(laboratory)
        await laboratory.all_finished(within=40)
        await until(lambda: running.owns(4))
    assert await laboratory.violations() == []


async def test_a_frozen_and_deposed_leader_stops_nothing(laboratory, kafka3):
    async with laboratory.owner(within=30) as running:
        async with laboratory.load(per_second=30):
            await more_is_finished(laboratory)
            index = await broker_of(laboratory, "leader")
            kafka3.kill(index, signal.SIGSTOP)
            try:
                await more_is_finished(laboratory, count=60)
            finally:
                kafka3.kill(index, signal.SIGCONT)
            await more_is_finished(laboratory)
            assert PartitionStatus.STOPPED not in running.statuses().values()
        await laboratory.all_finished(within=40)
    assert await laboratory.violations() == []
