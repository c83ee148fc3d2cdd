"""Transactions with an unknown outcome, because the broker freezes."""

import asyncio
import signal

import pytest

from consumers.engine.kafka.direct_transaction import DirectTransaction
from tests.chaos.laboratory import until
from tests.chaos.tally import tasks


@pytest.fixture
def broker(kafka1):
    """The laboratory's broker, which these tests freeze."""
    return kafka1.bootstrap


@pytest.mark.parametrize("frozen_after", [0.0, 0.003])
async def test_the_outcome_of_an_unknown_commit_is_read_from_kafka(laboratory, kafka1, monkeypatch, frozen_after):
    commit, frozen = DirectTransaction.commit, []

    async def commit_and_freeze(transaction):
        if not frozen and armed:
            frozen.append(asyncio.get_running_loop().time())
            committing = asyncio.create_task(commit(transaction))
            await asyncio.sleep(frozen_after)
            kafka1.kill(0, signal.SIGSTOP)
            await committing
        else:
            await commit(transaction)

    armed = False
    monkeypatch.setattr(DirectTransaction, "commit", commit_and_freeze)
    try:
        async with laboratory.owner(transaction_seconds=0.5) as running:
            await laboratory.append_many(tasks(*range(40), checkpoint=True))
            armed = True
            await until(lambda: frozen)
            await until(lambda: running.failed_starts("TimeoutError"))
            kafka1.kill(0, signal.SIGCONT)
            await laboratory.append_many(tasks(*range(40, 48)))
            await laboratory.all_finished()
    finally:
        kafka1.kill(0, signal.SIGCONT)
    assert await laboratory.violations() == []
