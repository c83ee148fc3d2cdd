"""Requests that arrive late, and answers that are lost, on real brokers behind proxies that know frames."""

import asyncio
import itertools

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from consumers.engine.kafka.direct_transaction import DirectTransaction
from local.kafka.frame_rules import FrameAct, FrameRule, FrameRules, LateCommits
from local.kafka.frames import TRANSACTION, Api
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import until

pytestmark = pytest.mark.three_brokers
# The client id of the engine, so that the rules meet no request of the laboratory's own clients.
WORKER = "late"


@pytest.fixture
def proxies(proxied):
    return proxied.proxies


@pytest.fixture
def orders(proxied, prefix, tmp_path):
    return Orders(proxied.bootstrap, prefix, str(tmp_path / "journal"), WORKER)


async def violations(laboratory, proxies, rules, late_commits, enough):
    """Let an engine work under these rules until enough has happened; return the violations."""
    async with laboratory.owner(WORKER, within=30):
        proxies.rules, proxies.late_commits = rules, late_commits
        async with laboratory.load(per_second=60):
            await until(enough, within=60)
        await laboratory.all_finished(within=40)
    return await laboratory.violations()


async def test_a_late_commit_never_commits_half_of_the_next_transaction(laboratory, proxies):
    late = LateCommits(0.2)
    assert await violations(laboratory, proxies, FrameRules(), late, lambda: late.played >= 20) == []


async def test_a_lost_answer_of_each_request_loses_and_doubles_nothing(laboratory, proxies):
    acts = (FrameAct.HOLD, FrameAct.DROP_BEFORE, FrameAct.DROP_AFTER)
    rules = FrameRules([FrameRule(act, 0.05, (0.0, 0.5), TRANSACTION, WORKER) for act in acts], seed=1)

    def each_was_met():
        return all(rules.met[act, api.name.lower()] for act, api in itertools.product(acts, TRANSACTION))

    assert await violations(laboratory, proxies, rules, LateCommits(0.0), each_was_met) == []


@pytest.fixture
async def start(proxied):
    started = []

    async def start(client):
        producer = AIOKafkaProducer(
            bootstrap_servers=proxied.bootstrap, client_id=client, transactional_id="owner", acks="all"
        )
        await producer.start()
        started.append(producer)
        return producer

    yield start
    for producer in started:
        await producer.stop()


async def test_a_producer_that_has_an_heir_does_not_replace_the_heirs_epoch(laboratory, proxies, start):
    first = await start("first")
    proxies.late_commits = LateCommits(1.0, most=1)
    proxies.rules = FrameRules([FrameRule(FrameAct.DELAY_REQUEST, 1.0, (2.0, 2.0), {Api.INIT_PRODUCER_ID}, "first")])
    transaction = DirectTransaction(first)
    batch = first.create_batch()
    batch.append(timestamp=0, key=b"k", value=b"v")
    await transaction.write({laboratory.orders.commands: [batch]}, 0)
    committing = asyncio.create_task(transaction.commit())
    await until(lambda: proxies.rules.met)
    heir = await start("heir")
    with pytest.raises(ProducerFenced):
        await committing
    async with heir.transaction():
        await heir.send_and_wait(laboratory.orders.commands, b"v", partition=0)
