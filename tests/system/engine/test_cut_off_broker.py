"""A broker that is cut off from its peers and answers the worker from old memory delays the engine for seconds."""

import asyncio
import random
import time
from collections import Counter

import pytest
from aiokafka import client as aiokafka_client
from aiokafka.client import AIOKafkaClient

from local.kafka.admin import admin_of
from local.processes.patience import Patience
from tests.chaos.cut_brokers import CuttableCluster
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import until
from tests.system.engine.test_three_brokers import broker_of, more_is_finished

pytestmark = pytest.mark.three_brokers

STALE_ANSWERS = 2  # of three brokers a random one answers, so one of 27 clients gets a third; each costs 3 s or more
# From the moment in which Kafka works without the broker that is cut off, as its peers say.
BOUND_SECONDS = 25.0
# Three without a heartbeat, and the election of another controller. A busy machine needs more, which is Kafka's matter.
DEPOSED_WITHIN_SECONDS = 60.0
KAFKAS_TOPICS = ("__consumer_offsets", "__transaction_state")


class Luck:
    """The order in which aiokafka's clients ask the brokers: a cut-off broker first, a few times, and then last.

    The bound holds for so many stale answers. A random order would give more of them to one run in ten.
    """

    choice = staticmethod(random.choice)

    def __init__(self, client_id):
        self.cut_off = None
        self._client_id = client_id
        self._asked = Counter()
        self._is_unlucky: bool | None = None  # None: no broker is cut off
        self._update = AIOKafkaClient._metadata_update

    async def update(self, client, metadata, topics):
        """Replace `AIOKafkaClient._metadata_update`, which shuffles before its first `await`."""
        if self.cut_off is not None and client._client_id == self._client_id:
            self._is_unlucky = self._asked[client] < STALE_ANSWERS
            self._asked[client] += 1
        return await self._update(client, metadata, topics)

    def shuffle(self, nodes):
        """Replace `random.shuffle`."""
        random.shuffle(nodes)
        if self._is_unlucky is not None:
            nodes.sort(key=lambda node: (node == self.cut_off) != self._is_unlucky)
        self._is_unlucky = None


@pytest.fixture
async def cluster():
    """Three brokers. The others depose a broker that is cut off for 3 s, and wait 10 s for its answers."""
    properties = {
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "request.timeout.ms": "10000",  # until then, the end of a transaction waits for the broker that is cut off
    }
    async with CuttableCluster(properties) as cluster:
        yield cluster


@pytest.fixture
def orders(cluster, prefix, tmp_path):
    return Orders(cluster.bootstrap, prefix, str(tmp_path / "journal"), "one")


@pytest.fixture
def luck(monkeypatch, laboratory):
    luck = Luck(laboratory.orders.name)

    async def update(client, metadata, topics):
        return await luck.update(client, metadata, topics)

    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", update)
    monkeypatch.setattr(aiokafka_client, "random", luck)
    return luck


async def every_partition_is_led_by(laboratory, cluster, indices):
    """Return when these brokers lead every partition, and each of them is an in-sync replica of every partition.

    Otherwise Kafka has no broker that may continue a partition, and the engine can do nothing about it.
    """
    orders, nodes = laboratory.orders, {index + 1 for index in indices}
    topics = [orders.commands, orders.events, orders.state, *KAFKAS_TOPICS]
    addresses = cluster.bootstrap.split(",")
    patience = Patience(DEPOSED_WITHIN_SECONDS)
    while True:
        async with admin_of(addresses[min(indices)]) as admin:
            # If the broker that is cut off answers, it says that it leads partitions.
            described = await admin.describe_topics(topics)
        rows = [row for topic in described for row in topic["partitions"]]
        if rows and all(row["leader"] in nodes and nodes <= set(row["isr"]) for row in rows):
            return
        assert not patience.is_over, f"Kafka itself did not get there: {described}"
        await asyncio.sleep(0.2)


async def test_a_coordinator_and_leader_that_is_cut_off_delays_no_partition_beyond_the_bound(cluster, laboratory, luck):
    async with laboratory.owner(within=30):
        async with laboratory.load(per_second=40):
            await more_is_finished(laboratory)
            index = await broker_of(laboratory, "group coordinator")
            await every_partition_is_led_by(laboratory, cluster, {0, 1, 2})
            luck.cut_off = index + 1
            cluster.cut(index)
            await every_partition_is_led_by(laboratory, cluster, {0, 1, 2} - {index})
            deposed_at = time.monotonic()

            def recovered():
                appended = laboratory.appended
                return {seen.partition for seen in laboratory.seen if appended.get(seen.cause, 0.0) > deposed_at}

            await until(lambda: len(recovered()) == laboratory.orders.partitions, BOUND_SECONDS)
            cluster.mend()
            await more_is_finished(laboratory)
        await laboratory.all_finished(within=40)
    assert await laboratory.violations() == []
