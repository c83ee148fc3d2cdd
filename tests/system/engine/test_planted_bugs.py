"""The checker finds each of eleven bugs, in a situation in which the engine without the bug passes."""

import asyncio
import contextlib
from unittest import mock

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from consumers.engine.core.progress import PROGRESS_KEY, RESERVED_KEYS
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.progress_copy import ProgressCopier
from local.judge.history import Rule
from tests.chaos.laboratory import cuttable_network, until
from tests.chaos.planted import plant
from tests.chaos.tally import Journal, TallyHandler, Task

MISSED_SECONDS = 2.5  # an input without an outcome after this time, and without a reason to wait, will never have one


@contextlib.contextmanager
def transactions(*fates, of=lambda keys: not set(keys) <= set(RESERVED_KEYS)):
    """Delay the first transactions of these keys, or fail them before their commit. Default: those with results."""
    commit, left = Transactions._commit, list(fates)

    async def commit_with_fate(self, rows, topics=()):
        rows = list(rows)
        fate = left.pop(0) if left and of([key for _, key, *_ in rows]) else "good"
        if fate == "is slow":
            await asyncio.sleep(0.1)
        if fate != "fails":
            return await commit(self, rows, topics)
        with mock.patch.object(self._direct, "commit", side_effect=KafkaError("the test fails this transaction")):
            return await commit(self, rows, topics)

    with mock.patch.object(Transactions, "_commit", commit_with_fate):
        yield


async def outcomes(laboratory):
    """Wait until every input has its outcome, or will not get one."""
    with contextlib.suppress(AssertionError):
        await laboratory.all_finished(within=laboratory.patience_seconds)


async def append(laboratory, key, *numbers, **what):
    await laboratory.append(key, *(Task(f"{key} {number}", **what) for number in numbers), partition=0)


async def a_transaction_fails(laboratory):
    await append(laboratory, "key", *range(10))
    with transactions("fails"):
        async with laboratory.owner():
            await outcomes(laboratory)


async def a_transaction_fails_behind_a_slow_one(laboratory):
    await append(laboratory, "key", *range(10))
    with transactions("is slow", "fails"):
        async with laboratory.owner(batch_results=1):
            await outcomes(laboratory)


async def a_worker_ends_in_the_middle(laboratory):
    async with laboratory.owner(drain_seconds=0.0):
        await append(laboratory, "slow", 0, seconds=2.0)
        await append(laboratory, "quick", *range(5))
        await until(lambda: len(laboratory.seen) == 5)
    async with laboratory.owner():
        await outcomes(laboratory)


async def another_producer_starts(laboratory):
    async with laboratory.owner() as running:
        transactional_id = laboratory.orders.settings().transactional_id(0)
        async with AIOKafkaProducer(bootstrap_servers=laboratory.orders.bootstrap, transactional_id=transactional_id):
            await append(laboratory, "key", 0)
            await until(running.fenced)
        await append(laboratory, "key", 1)
        await outcomes(laboratory)


async def a_worker_is_cut_off_with_results(laboratory):
    with cuttable_network() as network:
        async with laboratory.owner("old") as old:
            await append(laboratory, "key", 0, seconds=0.3, checkpoint=True)
            await until((laboratory.directory / "journal").read_text)
            network.cut("old")
            async with laboratory.owner("new"):
                await outcomes(laboratory)
                network.mend()
                await until(lambda: old.owns(2))


@contextlib.asynccontextmanager
async def cut_off_before_an_effect(laboratory):
    """Cut a worker off before an effect. Yield it, its network, and the event that lets it continue."""
    may_continue = asyncio.Event()

    class Handler(TallyHandler):
        is_before_effect = False

        async def before_effect(self, task):
            self.is_before_effect = True
            await may_continue.wait()

    journal = Journal(laboratory.directory / "journal", "old")
    handler = Handler(laboratory.orders.events, journal)
    with contextlib.closing(journal), cuttable_network() as network:
        async with laboratory.owner("old", handler) as old:
            await append(laboratory, "key", 0, checkpoint=True)
            await until(lambda: handler.is_before_effect)
            network.cut("old")
            yield old, network, may_continue


async def a_worker_is_cut_off_before_an_effect(laboratory):
    async with (
        cut_off_before_an_effect(laboratory) as (old, network, may_continue),
        laboratory.engine("new") as new,
    ):
        await until(lambda: new.owns(4))
        await outcomes(laboratory)
        may_continue.set()
        network.mend()
        await until(lambda: old.owns(2))


async def a_second_transaction_fails(laboratory):
    async with laboratory.owner() as running:
        with transactions("fails", of=lambda keys: keys == [PROGRESS_KEY]):
            await append(laboratory, "key", *range(10))
            await outcomes(laboratory)
            await until(lambda: running.owns(4))


async def a_worker_ends_without_its_last_copy(laboratory):
    async with laboratory.owner() as running:
        with mock.patch.object(ProgressCopier, "write", mock.AsyncMock()):
            await append(laboratory, "key", *range(10))
            await outcomes(laboratory)
            await running.end()
    async with laboratory.owner() as running:
        await append(laboratory, "key", 10)
        await outcomes(laboratory)


async def a_worker_gets_its_partitions_back_before_an_effect(laboratory):
    async with cut_off_before_an_effect(laboratory) as (old, network, may_continue):
        async with laboratory.owner("new"):
            await outcomes(laboratory)
        network.mend()
        await until(lambda: old.owns(4) and not old.engine.is_rebalancing)
        may_continue.set()
        await append(laboratory, "key", 1)
        await outcomes(laboratory)


BUGS = {
    "commit before the outcome": (a_transaction_fails, Rule.NO_OUTCOME),
    "live state in the batch": (a_transaction_fails_behind_a_slow_one, Rule.SEQUENCE),
    "no fencing": (a_worker_is_cut_off_with_results, Rule.TWO_OUTCOMES),
    "no membership check": (a_worker_is_cut_off_before_an_effect, Rule.EFFECT_LATE),
    "treat fenced as lost": (another_producer_starts, Rule.NO_OUTCOME),
    "event outside the transaction": (a_transaction_fails, Rule.TWO_OUTCOMES),
    "watermark over a gap": (a_worker_ends_in_the_middle, Rule.NO_OUTCOME),
    "progress outside the transaction": (a_second_transaction_fails, Rule.TWO_OUTCOMES),
    "the group's copy read where the record counts": (a_worker_ends_without_its_last_copy, Rule.TWO_OUTCOMES),
    "keep by an old marker": (a_worker_gets_its_partitions_back_before_an_effect, Rule.EFFECT_LATE),
    "record delivered to an old assignment": (a_transaction_fails, Rule.NO_OUTCOME),
}


@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_is_found(laboratory, bug):
    situation, rule = BUGS[bug]
    if rule is Rule.NO_OUTCOME:
        laboratory.patience_seconds = MISSED_SECONDS
    with plant(bug):
        await situation(laboratory)
    assert rule in {violation.rule for violation in await laboratory.violations()}


@pytest.mark.parametrize("situation", dict.fromkeys(situation for situation, _ in BUGS.values()))
async def test_without_a_bug_nothing_is_found(laboratory, situation):
    await situation(laboratory)
    assert await laboratory.violations() == []
