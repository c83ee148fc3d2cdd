"""What ends with a session: its invocations, its queued results, and its right to call others.

A session ends when another process may own the partition. Each test fails if one of the steps of that end is left out.
"""

import asyncio

import pytest
from aiokafka.errors import ProducerFenced

from consumers.engine.engine import _RebalanceListener
from consumers.engine.interface import Done, PartitionLost
from consumers.engine.kafka.membership import Generation
from tests.unit.engine.partitions import SOURCE


class Membership:
    """A membership that is never trusted without a confirmation; a test says whether the group confirms it."""

    is_trusted = False
    is_rebalancing = False
    is_member = True

    def __init__(self):
        self.generation = Generation(1, "member")
        self.next_generation = Generation(2, "member")
        self.requests = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_confirming = False

    def revoked(self):
        self.generation = None

    def assigned(self):
        self.generation = self.next_generation
        return self.generation

    async def confirm(self):
        self.requests += 1
        self.is_confirming = True
        await self.may_answer.wait()
        self.is_confirming = False
        return self.is_member


@pytest.fixture
def membership(monkeypatch):
    monkeypatch.setattr("consumers.engine.dispatcher._OWNERSHIP_RETRY_SECONDS", 0.0)
    return Membership()


@pytest.fixture
async def running(make_running):
    return make_running()


@pytest.fixture
def effects(harness):
    """The calls of a handler that first makes sure that this process owns the partition."""
    effects = []

    async def record(invocation, record):
        await invocation.ensure_owned()
        effects.append(record.offset)
        return Done()

    harness.handler.record = record
    return effects


async def test_a_call_waits_until_the_group_confirms_the_membership(running, harness, membership, effects):
    membership.is_member = False
    running.feed(1)
    await harness.rest()
    assert effects == []
    assert membership.requests > 1
    membership.is_member = True
    await harness.rest()
    assert effects == [0]


async def test_calls_that_wait_for_the_same_response_send_one_heartbeat(running, harness, membership, effects):
    membership.may_answer.clear()
    running.feed(3)
    await harness.rest()
    assert membership.requests == 1
    membership.may_answer.set()
    await harness.rest()
    assert sorted(effects) == [0, 1, 2]


async def test_a_call_of_an_invalid_session_never_starts(running, harness, membership, effects):
    membership.is_member = False
    running.feed(1)
    await harness.rest()
    running.session.dispatcher.close()
    assert running.session.dispatcher.is_closed
    membership.is_member = True
    await harness.rest()
    assert effects == []
    with pytest.raises(PartitionLost):
        await running.session.dispatcher.ensure_owned()


async def test_a_call_waits_during_a_rebalance(running, harness, membership, effects):
    gate = asyncio.Event()
    ensure_first = harness.handler.record

    async def record(invocation, record):
        await gate.wait()
        return await ensure_first(invocation, record)

    harness.handler.record = record
    running.feed(1)
    await harness.rest()
    running.session.suspend()
    gate.set()
    await harness.rest()
    assert (effects, membership.requests) == ([], 0)


class Copier:
    async def write(self, generation):
        pass


@pytest.mark.parametrize("is_revoked_first", [True, False])
@pytest.mark.parametrize("has_other_producer", [True, False])
async def test_an_assignment_keeps_a_session_only_by_a_new_marker(
    running, membership, harness, is_revoked_first, has_other_producer
):
    marker = asyncio.get_running_loop().create_future()

    async def prove():
        await marker

    session = running.session
    session.prove_sole_producer = prove
    listener = _RebalanceListener(running.engine, running.consumer, membership, Copier(), None)
    if is_revoked_first:
        await listener.on_partitions_revoked([SOURCE])
    listener.on_partitions_assigned([SOURCE])
    await harness.rest()
    assert (session.dispatcher.is_closed, session.dispatcher.accepts_invocations) == (False, False)
    if has_other_producer:
        marker.set_exception(ProducerFenced())
    else:
        marker.set_result(None)
    await harness.rest()
    assert session.dispatcher.is_closed is has_other_producer
    assert session.dispatcher.accepts_invocations is not has_other_producer


async def test_an_invalid_session_cancels_its_invocations_and_starts_none(running, harness):
    cancelled = []

    async def record(invocation, record):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(record.offset)
            raise

    harness.handler.record = record
    running.feed(2)
    await harness.rest()
    running.session.dispatcher.close()
    await harness.rest()
    assert cancelled == [0, 1]
    running.feed(2)
    running.session.dispatcher.start()
    await harness.rest()
    assert harness.handler.seen == [0, 1]


async def test_a_session_is_discarded_after_its_last_invocation(running, harness, no_producer):
    ended = []

    async def record(invocation, record):
        try:
            await asyncio.Event().wait()
        finally:
            await harness.rest(3)
            ended.append(record.offset)

    harness.handler.record = record
    running.feed(1)
    await harness.rest()
    await running.fail()
    assert ended == [0]


async def test_an_invalid_session_commits_none_of_its_results(running, harness):
    running.committing.cancel()  # only the test commits
    running.feed(3)
    await harness.rest()
    assert running.session.dispatcher.results.commits.has_pending
    running.session.dispatcher.close()
    assert not await running.session.commit()
    assert running.transactions.carried == []


async def test_a_checkpoint_of_an_invalid_session_is_refused(running, harness):
    refused = []

    async def record(invocation, record):
        while True:
            try:
                await invocation.checkpoint(b"state")
            except asyncio.CancelledError:
                continue  # a bad handler
            except PartitionLost:
                refused.append(record.offset)
                raise

    harness.handler.record = record
    running.transactions.may_end.clear()
    running.feed(1)
    await harness.rest()
    carried = len(running.transactions.carried)
    running.session.dispatcher.close()
    await harness.rest()
    assert (refused, len(running.transactions.carried)) == ([0], carried)
