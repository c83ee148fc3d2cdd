"""Collate was restored from a backup: an operator lets the gateway accept its lower versions again."""

import pytest

from consumers.engine import RetryAt
from schemas.commands import AuthorizationWatch, HandoffRequest, LowerVersionFloor
from schemas.enums import DecisionReason, EventType
from tests.process.key_queue import opened

CREATE = "/manual-handoffs$"


def lower(to_version):
    return LowerVersionFloor(
        to_version=to_version,
        requested_by="op-7",
        reason=DecisionReason.COLLATE_RECOVERED,
        ticket="OPS-1",
        why="free text",
    )


async def watched(queue):
    await queue.apply(AuthorizationWatch())
    return backup_of(queue)


def backup_of(queue):
    return queue.sim.state.authorizations[queue.authorization_id]


def restore(queue, backup):
    queue.sim.state.authorizations[queue.authorization_id] = backup


async def lowered(queue, backup):
    """Restore Collate and lower the floor; make the next two observations."""
    restore(queue, backup)
    await queue.observe()
    await queue.apply(lower(backup.version), caller="support")
    assert queue.timer_at <= queue.now(), "what Collate shows now is read at once"
    await queue.observe()
    await queue.observe()


async def test_a_waiting_command_continues_as_soon_as_the_floor_is_lower(make_queue):
    queue = make_queue()
    backup = await watched(queue)
    for _ in range(3):
        queue.sim.act(queue.authorization_id, "edit")
    await queue.observe()
    restore(queue, backup)
    command = queue.send(HandoffRequest())
    waits = [await queue.invoke() for _ in range(3)]
    assert {wait.reason for wait in waits} == {"stale_read"}
    began = queue.now()
    decision = queue.send(lower(backup.version), caller="support")
    await queue.apply(lower(backup.version), command_id=decision, caller="support")
    assert queue.now() - began < 10.0
    assert queue.check(command).effect == "ours"
    (event,) = queue.events(EventType.AUTHORIZATION_VERSION_FLOOR_LOWERED)
    data = event.data
    assert (data.caller, data.from_version, data.to_version) == ("support", backup.version + 3, backup.version)
    assert (data.decision.requested_by, data.decision.reason, data.decision.ticket) == (
        *("op-7", "collate_recovered", "OPS-1"),
    )
    assert event.causation_id == decision
    assert not any(b"free text" in output.value for output in queue.outputs if output.value)


async def test_without_the_decision_observations_see_nothing(make_queue):
    queue = make_queue()
    backup = await watched(queue)
    queue.sim.act(queue.authorization_id, "cancel")
    queue.sim.advance(1.0)
    await queue.observe()
    restore(queue, backup)
    queue.send(AuthorizationWatch())
    assert (await queue.invoke()).reason == "stale_read"


async def test_a_settled_authorization_is_followed_again(make_queue):
    queue = make_queue()
    backup = await watched(queue)
    queue.sim.act(queue.authorization_id, "cancel")
    await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    restore(queue, backup)
    await queue.apply(lower(backup.version))
    await queue.observe()
    assert queue.public_record().status == "requires_action"
    assert queue.public_record().settled_at is None
    assert len(queue.events(EventType.AUTHORIZATION_ACTION_REQUIRED)) == 2
    queue.sim.act(queue.authorization_id, "payer", truth="approved")
    while len(queue.events(EventType.AUTHORIZATION_SETTLED)) < 2:
        await queue.observe()


async def test_a_handoff_that_the_backup_does_not_know_has_ended(make_queue):
    queue = make_queue()
    backup = await watched(queue)
    handoff = await opened(queue)
    await lowered(queue, backup)
    (closed,) = queue.events(EventType.HANDOFF_CLOSED)
    assert (closed.data.handoff_id, closed.data.result, closed.data.by) == (handoff, "unrecognised", "other")
    assert queue.public_record().active_handoff is None
    again = await opened(queue)
    assert again != handoff


async def test_a_handoff_that_was_closing_is_open_again(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 1e6, "abandonment_seconds": None})
    await watched(queue)
    handoff = await opened(queue)
    backup = backup_of(queue)
    await queue.apply(close(handoff))
    await queue.observe()
    assert queue.public_record().active_handoff.state == "closing"
    await lowered(queue, backup)
    assert queue.public_record().active_handoff.state == "active"
    assert not queue.events(EventType.HANDOFF_CLOSED)
    queue.sim.change(closing_seconds=0.0)
    command = await queue.apply(close(handoff, "decision_observed"))
    assert queue.finished_of(command).outcome == "applied"


@pytest.mark.parametrize("more", [0, 5])
async def test_a_version_that_is_not_lower_changes_nothing(make_queue, more):
    queue = make_queue()
    backup = await watched(queue)
    before = queue.decoded_state()
    await queue.apply(lower(backup.version + more))
    after = queue.decoded_state()
    assert (after.known, after.floor, after.active) == (before.known, before.floor, before.active)
    (event,) = queue.events(EventType.AUTHORIZATION_VERSION_FLOOR_LOWERED)
    assert event.data.from_version == event.data.to_version == backup.version


async def test_a_write_that_the_backup_may_not_contain_is_decided_by_a_person(make_queue):
    queue = make_queue(readings={"check_order": "if_match_first"})
    backup = await watched(queue)
    queue.sim.act(queue.authorization_id, "edit")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    restore(queue, backup)
    await queue.apply(lower(backup.version))
    assert queue.check(command) is None
    assert [dead_letter.cause for dead_letter in queue.dead_letters()] == ["outcome_unknown"]


async def test_a_close_that_was_not_reconciled_is_reconciled_at_the_next_change(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 0.0, "reconcile_seconds": None})
    backup = await watched(queue)
    await queue.apply(close(await opened(queue)))
    await queue.observe()
    await lowered(queue, backup)
    assert not queue.events(EventType.HANDOFF_RECONCILED)
    queue.sim.act(queue.authorization_id, "edit")
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED, most=3)
    assert reconciled.data.version == backup.version + 1
