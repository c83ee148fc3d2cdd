"""A shadow decides as a worker does, and sends no write (decision 0026). Its client is the one of `writes = off`."""

import pytest

from adapters.collate.client import CollateClient
from consumers.engine import RetryAt
from schemas.commands import Completed, HandoffClose, HandoffRequest, Revoked, UnableToComplete
from schemas.enums import EventType, ReportedOutcome
from tests.process.await_points import MOST_POINTS

RESULTS = {
    "complete": Completed(reported_outcome=ReportedOutcome.SUBMITTED),
    "unable-to-complete": UnableToComplete(reason="other"),
    "revoke": Revoked(reason="r"),
}


def posts(queue):
    return [call for call in queue.sim.ledger.calls if call.method != "GET"]


async def test_a_request_ends_with_the_write_that_was_not_sent(make_shadow):
    queue = make_shadow()
    command = await queue.apply(HandoffRequest())
    outcome = queue.finished_of(command)
    assert (outcome.outcome, outcome.effect, outcome.reason) == ("rejected", "none", "writes_off")
    assert (outcome.would_send.operation, outcome.would_send.version) == ("create", outcome.version)
    assert outcome.version == queue.sim.state.authorizations[queue.authorization_id].version
    assert posts(queue) == []
    assert queue.effects_of(command) == []


@pytest.mark.parametrize("operation", RESULTS)
async def test_a_close_of_a_handoff_that_the_shadow_never_opened_is_decided_as_any_other(make_shadow, operation):
    queue = make_shadow()
    queue.sim.act(queue.authorization_id, do="open_handoff")
    handoff = queue.sim.state.authorizations[queue.authorization_id].open_handoff.id
    command = await queue.apply(HandoffClose(handoff_id=handoff, result=RESULTS[operation]))
    outcome = queue.finished_of(command)
    assert (outcome.outcome, outcome.reason, outcome.handoff_id) == ("rejected", "writes_off", handoff)
    assert outcome.would_send.operation == operation
    assert posts(queue) == []


async def test_a_request_after_the_other_actor_is_already_done(make_shadow):
    queue = make_shadow()
    queue.sim.act(queue.authorization_id, do="open_handoff")
    outcome = queue.finished_of(await queue.apply(HandoffRequest()))
    assert (outcome.outcome, outcome.would_send) == ("already_done", None)


async def test_the_watcher_publishes_what_then_happens(make_shadow):
    queue = make_shadow()
    await queue.apply(HandoffRequest())
    queue.sim.act(queue.authorization_id, do="open_handoff")
    opened = await queue.observe_until(EventType.HANDOFF_OPENED)
    assert (opened.data.effect, opened.data.caller) == (None, None)


async def test_a_crash_at_every_await_point_leaves_one_end_and_no_write(make_shadow):
    for point in range(MOST_POINTS):
        queue = make_shadow()
        command = queue.send(HandoffRequest())
        queue.fuse.arm(point)
        await queue.drain()
        passed, queue.fuse.blows_at = queue.fuse.passed, None
        assert queue.finished_of(command).reason == "writes_off"
        assert posts(queue) == []
        if passed <= point:
            return
    raise AssertionError("more await points than expected")


async def test_a_write_that_was_sent_before_writes_were_off_is_not_called_without_effect(make_queue):
    queue = make_queue()
    wrote = CollateClient.__new__(CollateClient)
    wrote.__dict__ = queue.collate._client.__dict__ | {"_keyed": frozenset()}
    queue.collate._client = wrote
    queue.sim.fault("reset", method="POST", when="before", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.has_writes = False
    queue.restart()
    await queue.drain()
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.command_id, dead_letter.cause) == (command, "outcome_unknown")
    assert len(posts(queue)) == 1
