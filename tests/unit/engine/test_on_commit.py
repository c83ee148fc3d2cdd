"""A handler's log lines and counts: the engine makes them after the commit, once, and never for a lost result."""

import asyncio

import pytest

from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.partition_lifecycle import PartitionEvent
from consumers.engine.core.progress import encode
from consumers.engine.interface import Done, Failure, Output
from consumers.engine.state_store import StateStore
from tests.unit.engine.partitions import begin_session, started

EVENT = (Output("events", b"0", b"v"),)


@pytest.fixture
def said():
    return []


@pytest.fixture
async def running(harness, said, make_running, no_producer):
    """A partition whose handler writes a checkpoint, then ends the record as a dead letter."""

    async def record(invocation, record):
        await invocation.checkpoint(b"begun", on_commit=(lambda: said.append("begun"),))
        failure = Failure("cause", counts=False)
        return Done(EVENT, b"ended", None, failure, on_commit=(lambda: said.append("ended"),))

    harness.handler.record = record
    return make_running()


async def transactions(running, count):
    """Wait until so many transactions have begun, and no further: the next one follows after 2 ms."""
    async with asyncio.timeout(10):
        while len(running.transactions.carried) < count:  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0)


async def lose_a_transaction(running, *, after):
    """Let the transaction after so many fail without an answer, as at a deadline."""
    running.feed(1)
    await transactions(running, after)
    running.transactions.may_end.clear()
    await transactions(running, after + 1)
    running.transactions.expire()
    await asyncio.wait({running.committing}, timeout=10)
    assert isinstance(running.committing.exception(), TimeoutError)


async def start_again(running, states, progress):
    """Discard the session, and start again with what Kafka has."""
    await running.fail()
    running.partition._apply(PartitionEvent.DISCARDED)
    running.transactions.is_expired = False
    store = StateStore()
    for key, state in states.items():
        store.put(key, state, None)
    store.progress = encode(progress, "topic id")
    begin_session(running.partition, started(running.transactions, progress, store))
    running.committing = asyncio.create_task(running.partition._commit_while_valid())


async def test_nothing_is_said_before_the_commit(running, said):
    running.transactions.may_end.clear()
    running.feed(1)
    await transactions(running, 1)
    assert said == []
    running.transactions.may_end.set()
    await transactions(running, 2)
    await asyncio.sleep(0.01)
    assert said == ["begun", "ended"]


async def test_a_lost_transaction_says_nothing_and_its_repeat_says_it_once(running, said):
    await lose_a_transaction(running, after=1)
    await start_again(running, {b"0": b"begun"}, Committed(0, ""))
    assert said == ["begun"]
    running.offset = 0
    running.feed(1)
    await transactions(running, 4)
    await asyncio.sleep(0.01)
    assert said == ["begun", "begun", "ended"], "the checkpoint was committed twice"
    assert running.metric("records_dead_lettered_total", partition="0") == 1


async def test_a_commit_whose_answer_was_lost_is_said_once_by_the_next_start(running, said):
    await lose_a_transaction(running, after=1)
    await start_again(running, {b"0": b"ended"}, Committed(1, ""))
    assert said == ["begun", "ended"]
    assert running.metric("records_total", partition="0") == 1
    await start_again(running, {b"0": b"ended"}, Committed(1, ""))
    assert said == ["begun", "ended"]


async def test_a_checkpoint_whose_answer_was_lost_is_said_by_the_next_start(running, said):
    await lose_a_transaction(running, after=0)
    await start_again(running, {b"0": b"begun"}, Committed(0, ""))
    assert said == ["begun"]


@pytest.mark.parametrize(("state", "progress"), [(b"of another owner", 1), (b"ended", 2), (b"begun", 0)])
async def test_the_commit_of_another_owner_is_not_said(running, said, state, progress):
    await lose_a_transaction(running, after=1)
    await start_again(running, {b"0": state}, Committed(progress, ""))
    assert said == ["begun"]


async def test_a_timer_with_nothing_to_commit_says_it_at_once(harness, said):
    async def timer(invocation):
        return Done(on_commit=(lambda: said.append("observed"),))

    harness.handler.timer = timer
    harness.key_queues.set_timer(b"a", harness.clock.now)
    harness.dispatcher.start()
    await harness.rest()
    assert (said, harness.results.pending) == (["observed"], [])


async def test_the_result_of_a_timer_says_it_with_its_commit(harness, said):
    async def timer(invocation):
        return Done(EVENT, on_commit=(lambda: said.append("observed"),))

    harness.handler.timer = timer
    harness.key_queues.set_timer(b"a", harness.clock.now)
    harness.dispatcher.start()
    await harness.rest()
    assert said == []
    (pending,) = harness.results.pending
    assert len(pending.on_commit) == 1
