"""A commit that arrives late, in the middle of the next transaction, on real brokers behind proxies that know frames."""

import asyncio

import pytest

from consumers.engine.kafka.direct_transaction import DirectTransaction
from local.kafka.frame_proxy import FrameProxies
from local.kafka.frame_rules import FrameAct, FrameRule, FrameRules, LateCommits
from local.kafka.frames import Api
from local.kafka.proxied import ProxiedCluster
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import Laboratory, until

pytestmark = pytest.mark.three_brokers
# In the name of each worker, so that the rules meet no request of the laboratory's own clients.
WORKER = "late"


@pytest.fixture(scope="module")
def proxied():
    with ProxiedCluster(FrameProxies(), heap="384m") as cluster:
        yield cluster


@pytest.fixture
async def laboratory(proxied, prefix, tmp_path):
    orders = Orders(proxied.bootstrap, prefix, str(tmp_path / "journal"), WORKER)
    async with Laboratory(orders, tmp_path, replication=3) as laboratory:
        yield laboratory
    proxied.proxies.rules, proxied.proxies.late_commits = FrameRules(), LateCommits(0.0)


async def finish_through(laboratory, proxied, *, rules=(), late_commits=None, enough=lambda: True):
    """Let an engine work under these rules until enough happened; return the violations."""
    async with laboratory.engine() as running:
        await until(lambda: running.owns(4), within=30)
        proxied.proxies.rules = FrameRules(rules, seed=1)
        proxied.proxies.late_commits = late_commits or LateCommits(0.0)
        async with laboratory.load(per_second=60):
            await until(enough, within=60)
        await laboratory.all_finished(within=40)
    return await laboratory.violations()


async def test_a_late_commit_never_commits_half_of_the_next_transaction(laboratory, proxied):
    late = LateCommits(0.2)
    assert await finish_through(laboratory, proxied, late_commits=late, enough=lambda: late.played >= 20) == []


@pytest.mark.parametrize("act", [FrameAct.HOLD, FrameAct.DROP_BEFORE, FrameAct.DROP_AFTER])
@pytest.mark.parametrize("api", [Api.ADD_PARTITIONS_TO_TXN, Api.PRODUCE, Api.END_TXN, Api.INIT_PRODUCER_ID])
async def test_a_lost_answer_of_each_request_loses_and_doubles_nothing(laboratory, proxied, act, api):
    # A new epoch is asked for only after another lost answer.
    end_txn = [FrameRule(FrameAct.DROP_AFTER, 0.1, apis={Api.END_TXN}, client=WORKER)]
    rule = FrameRule(act, 0.1, (0.0, 0.5), {api}, WORKER)
    rules = [rule, *end_txn] if api is Api.INIT_PRODUCER_ID else [rule]

    def met():
        return proxied.proxies.rules.met[act, api.name.lower()] >= 5

    assert await finish_through(laboratory, proxied, rules=rules, enough=met) == []


async def test_an_epoch_that_another_producer_has_replaced_is_not_replaced_again(proxied, producer_of):
    first, second = await producer_of("owner"), None
    transaction = DirectTransaction(first)
    await transaction.write({}, 0)
    second = await producer_of("owner")
    with pytest.raises(Exception, match="Fenced"):
        await transaction._replace_epoch("a test says so")
    assert second is not None


@pytest.fixture
async def producer_of(proxied):
    from aiokafka import AIOKafkaProducer

    started = []

    async def start(transactional_id):
        producer = AIOKafkaProducer(bootstrap_servers=proxied.bootstrap, transactional_id=transactional_id, acks="all")
        await producer.start()
        started.append(producer)
        return producer

    yield start
    await asyncio.gather(*(producer.stop() for producer in started))
