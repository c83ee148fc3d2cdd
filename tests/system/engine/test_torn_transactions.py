"""Torn transactions on a real broker: the test writes the commit marker of a part, as a stale coordinator does."""

from collections import defaultdict
from dataclasses import replace

import pytest
from aiokafka.errors import KafkaError

from consumers.engine.core.tail import NumberedTail, number_of
from consumers.engine.kafka.direct_transaction import DirectTransaction
from consumers.engine.torn import LOST_STATE
from local.judge.whole_topic import read_topic
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import until
from tests.chaos.markers import commit_a_part
from tests.chaos.tally import Journal, TallyHandler, tasks


@pytest.fixture
def tear(monkeypatch):
    """Each item, a set of topics, tears the next transaction that writes more: only these are committed."""
    left, commit = [], DirectTransaction.commit

    async def commit_or_tear(transaction):
        written = {topic.rpartition(".")[2] for topic in transaction._offsets}
        if not left or not (left[0] < written and len(written) > 1):
            return await commit(transaction)
        shown = left.pop(0)
        parts = [target for target in transaction._targets if target.topic.rpartition(".")[2] in shown]
        await commit_a_part(transaction._producer, transaction.identity, parts)
        raise KafkaError("the coordinator has died")

    monkeypatch.setattr(DirectTransaction, "commit", commit_or_tear)
    return left


@pytest.fixture
def copies(laboratory, monkeypatch):
    """A second topic of outputs, and a handler that writes each output to both."""
    settings, name = Orders.settings, laboratory.orders.events.replace("events", "copies")
    monkeypatch.setattr(
        Orders, "settings", lambda orders: replace(settings(orders), outputs=(orders.events, name)), raising=True
    )

    class Copies(TallyHandler):
        async def on_record(self, invocation, record):
            done = await super().on_record(invocation, record)
            return done._replace(outputs=(*done.outputs, *(one._replace(topic=name) for one in done.outputs)))

    journal = Journal(laboratory.directory / "journal", "copies")
    yield name, Copies(laboratory.orders.events, journal)
    journal.close()


def torn(running):
    return running.torn("healed"), running.torn("lost")


async def everything(laboratory, topic, isolation="read_committed"):
    orders = laboratory.orders
    return await read_topic(orders.bootstrap, topic, orders.partitions, isolation=isolation)


@pytest.mark.parametrize("shown", ["events", "state"])
async def test_a_torn_transaction_is_whole_after_the_next_start(laboratory, tear, shown):
    async with laboratory.owner() as running:
        await laboratory.append_many(tasks(*range(8), checkpoint=True))
        await laboratory.all_finished()
        tear.extend([{shown}] * 3)
        await laboratory.append_many(tasks(*range(8, 40), checkpoint=True))
        await laboratory.all_finished()
        assert (tear, torn(running)) == ([], (3, 0))
    assert await laboratory.violations() == []


async def test_a_heal_that_dies_or_is_torn_is_healed(laboratory, tear, copies):
    name, handler = copies
    await laboratory.create(name)
    async with laboratory.owner(handler=handler) as running:
        tear.extend([{"state"}, set(), {"events"}])
        await laboratory.append("key", *(task for _, task in tasks(*range(8))), partition=0)
        await laboratory.all_finished()
        assert (tear, torn(running)) == ([], (1, 0))
    assert await laboratory.violations() == []
    events = await everything(laboratory, laboratory.orders.events)
    assert [one.value for one in await everything(laboratory, name)] == [one.value for one in events]
    assert [one.timestamp for one in events] == sorted(one.timestamp for one in events)


async def test_a_number_never_names_two_contents(laboratory, tear):
    async with laboratory.owner() as running:
        tear.extend([set()] * 6)
        await laboratory.append_many(tasks(*range(40), checkpoint=True))
        await laboratory.all_finished(within=30)
        assert torn(running) == (0, 0)
    assert tear == []
    for topic in (laboratory.orders.events, laboratory.orders.state):
        times = defaultdict(set)
        for one in await everything(laboratory, topic, "read_uncommitted"):
            if number := number_of(one):
                times[one.partition, number].add(one.timestamp)
        assert max(len(found) for found in times.values()) == 1


@pytest.mark.parametrize("shown", ["events", "state"])
async def test_a_key_stops_if_the_records_are_gone(laboratory, tear, monkeypatch, shown):
    records = NumberedTail.records
    monkeypatch.setattr(
        NumberedTail,
        "records",
        lambda tail, number, *, is_committed: records(tail, number, is_committed=True) if is_committed else [],
    )
    async with laboratory.owner() as running:
        await laboratory.append("other", tasks(0)[0][1], partition=0)
        await laboratory.all_finished()
        tear.append({shown})
        await laboratory.append("key", tasks(1)[0][1], partition=0)
        await until(lambda: torn(running) == (0, 1))
        await laboratory.append("other", tasks(2)[0][1], partition=0)
        await until(lambda: "2" in laboratory.finished)
    async with laboratory.owner() as running:
        assert torn(running) == (0, 0)
    states = {one.key: one.value for one in await everything(laboratory, laboratory.orders.state)}
    assert states[b"key"] == LOST_STATE
    assert states[b"other"] != LOST_STATE
