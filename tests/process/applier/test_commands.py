"""Commands without faults: requests, closes, watches, duplicates, rejections."""

import gc
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from adapters.collate.call_policy.calls import Priority
from consumers.engine import UNCHANGED
from schemas.commands import Completed, HandoffClose, HandoffRequest, RecordAccess, Revoked, UnableToComplete
from schemas.enums import EventType, ReportedOutcome
from tests.process.key_queue import contract

_COMPLETED = Completed(reported_outcome=ReportedOutcome.SUBMITTED, observed_reference_number="R-1")
_READINGS = [
    {},
    {"closing_seconds": 0.0},
    {"offered_seconds": 1.0},
    {"status_while_active": "processing"},
    {"create_bumps_version": False},
    {"pointer": "full"},
    {"unknown_fields": True},
]


async def test_each_call_to_collate_has_the_turn_of_its_record(make_queue, close, watch):
    queue = make_queue()
    await queue.apply(watch(), caller="sync")
    await queue.apply(watch(), caller="people:jo")
    handoff = queue.check(await queue.apply(HandoffRequest(), caller="intake")).handoff_id
    await queue.apply(close(handoff), caller="billing")
    assert queue.collate.turns == {
        ("get_authorization", "intake", Priority.URGENT),
        ("create_handoff", "intake", None),  # a write is always urgent
        ("get_authorization", "billing", Priority.URGENT),
        ("close_handoff", "billing", None),
        ("get_authorization", "sync", Priority.COMMAND),
        ("get_authorization", "people:jo", Priority.URGENT),
    }


async def test_a_handoff_from_its_request_to_settlement(make_queue, close, watch):
    queue = make_queue()
    watched = await queue.apply(watch())
    assert queue.finished_of(watched).outcome == "applied"
    assert [e.data.TYPE for e in queue.events()] == [
        EventType.AUTHORIZATION_CHANGED,
        EventType.AUTHORIZATION_ACTION_REQUIRED,
        EventType.COMMAND_FINISHED,
    ]

    command = await queue.apply(HandoffRequest())
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    (opened,) = queue.events(EventType.HANDOFF_OPENED)
    assert opened.data.handoff_id == outcome.handoff_id
    assert opened.causation_id == command
    assert queue.public_record().active_handoff.id == outcome.handoff_id

    closed = await queue.apply(close(outcome.handoff_id))
    assert (queue.check(closed).outcome, queue.check(closed).effect) == ("applied", "ours")
    event = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert (event.data.result, event.data.by, event.data.reported) == ("completed_reported", "us", "submitted")
    assert event.causation_id == closed
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "agrees"
    queue.sim.act(queue.authorization_id, "payer", truth="approved")
    settled = await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    assert (settled.data.agreement, settled.data.reported) == ("agrees", "submitted")
    assert queue.public_record().settled_at is not None
    assert queue.public_record().sequence == settled.sequence
    for kind in (EventType.HANDOFF_CLOSED, EventType.HANDOFF_RECONCILED, EventType.AUTHORIZATION_SETTLED):
        assert len(queue.events(kind)) == 1


@pytest.mark.parametrize("create_bumps_version", [True, False])
async def test_the_events_of_a_request_have_the_version_after_its_write(make_queue, create_bumps_version):
    queue = make_queue()
    queue.sim.change(create_bumps_version=create_bumps_version)
    command = await queue.apply(HandoffRequest())
    version = queue.sim.state.authorizations[queue.authorization_id].version
    (opened,) = queue.events(EventType.HANDOFF_OPENED)
    assert (opened.data.version, queue.check(command).version) == (version, version)
    assert queue.public_record().version == version
    assert version == 4 if create_bumps_version else 3
    before = len(queue.events())
    await queue.observe()
    assert len(queue.events()) == before, "the next observation has no news"


async def test_without_a_read_after_the_write_no_version_is_published(make_queue):
    queue = make_queue()
    queue.sim.fault("reset", method="GET", skip=1, count=5)
    command = await queue.apply(HandoffRequest())
    (opened,) = queue.events(EventType.HANDOFF_OPENED)
    assert (opened.data.version, queue.check(command).version, queue.check(command).effect) == (None, None, "ours")


async def test_a_duplicate_command_publishes_nothing(make_queue):
    queue = make_queue()
    command = await queue.apply(HandoffRequest())
    before, timer_at = len(queue.outputs), queue.timer_at
    queue.send(HandoffRequest(), command_id=command)
    result = await queue.invoke()
    assert (result.outputs, result.state, result.timer_at) == ((), UNCHANGED, timer_at)
    assert len(queue.outputs) == before
    assert len(queue.effects_of(command)) == 1


async def test_another_body_under_a_known_id_is_a_key_conflict_without_an_outcome(make_queue):
    queue = make_queue()
    command = await queue.apply(HandoffRequest())
    await queue.apply(HandoffRequest(accepted_review_snapshot_id="rev_1"), command_id=command)
    (conflict,) = queue.events(EventType.COMMAND_KEY_CONFLICT)
    assert conflict.data.command_id == command
    assert queue.finished_of(command).outcome == "applied"


async def test_a_second_request_is_already_done(make_queue):
    queue = make_queue()
    first = queue.send(HandoffRequest())
    second = await queue.apply(HandoffRequest())
    assert queue.check(second).outcome == "already_done"
    assert queue.check(second).handoff_id == queue.check(first).handoff_id
    assert queue.check(second).effect == "none"


@pytest.mark.parametrize("readings", _READINGS)
async def test_request_and_close_under_every_reading_of_the_contract(make_queue, close, readings):
    queue = make_queue(readings=readings)
    command = await queue.apply(HandoffRequest())
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    await queue.observe_until(EventType.HANDOFF_OPENED)
    closed = await queue.apply(close(outcome.handoff_id))
    assert queue.check(closed).effect == "ours"
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "agrees"
    assert len(queue.events(EventType.HANDOFF_OPENED)) == len(queue.events(EventType.HANDOFF_CLOSED)) == 1


async def test_if_match_of_a_close_can_be_the_version_of_the_handoff(make_queue, close):
    queue = make_queue(readings={"if_match_on_close": "handoff"})
    queue.contract = contract(if_match_on_close="handoff")
    queue.restart()
    command = await queue.apply(HandoffRequest())
    closed = await queue.apply(close(queue.check(command).handoff_id))
    assert queue.check(closed).effect == "ours"


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("processing", "authorization_processing"),
        ("waiting_on_payer", "waiting_on_payer"),
        ("completed", "authorization_completed"),
        ("canceled", "authorization_canceled"),
        ("resolve_requirements", "action_is_not_a_handoff"),
        ("continue_authorization", "action_is_not_a_handoff"),
        ("approve_submission", "action_is_not_a_handoff"),
    ],
)
async def test_a_request_in_any_other_state_is_rejected_without_a_write(make_queue, state, reason):
    queue = make_queue(state=state)
    command = await queue.apply(HandoffRequest())
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.reason) == ("rejected", reason)
    assert outcome.advice
    assert "create_handoff" not in [name for name, _ in queue.collate.calls]


async def test_an_unknown_authorization_is_rejected_and_not_watched(make_queue):
    queue = make_queue(authorization_id="auth_nobody")
    command = await queue.apply(HandoffRequest())
    assert queue.check(command).reason == "authorization_not_found"
    assert queue.decoded_state().watch is None


async def test_a_close_of_an_unknown_handoff_is_rejected(make_queue, close):
    queue = make_queue()
    command = await queue.apply(close("mhand_nobody"))
    assert queue.check(command).reason == "handoff_not_found"


async def test_a_second_close_is_already_done_with_the_same_report_and_rejected_with_another(make_queue, close):
    queue = make_queue()
    command = await queue.apply(HandoffRequest())
    handoff = queue.check(command).handoff_id
    queue.send(close(handoff))
    same, other = queue.send(close(handoff)), queue.send(close(handoff, "decision_observed"))
    unable = await queue.apply(HandoffClose(handoff_id=handoff, result=UnableToComplete(reason="other")))
    assert queue.check(same).outcome == "already_done"
    assert queue.check(other).reason == "handoff_reported_completed"
    assert queue.check(unable).reason == "handoff_reported_completed"


@pytest.mark.parametrize(
    ("action", "reason", "by"),
    [
        ({"do": "expire"}, "handoff_expired", "expiry"),
        ({"do": "lose_session"}, "handoff_lost", "loss"),
        ({"do": "cancel"}, "handoff_canceled", "cancellation"),
        ({"do": "revoke", "reason": "r"}, "handoff_revoked", "other"),
        ({"do": "complete", "reportedOutcome": "submitted"}, "handoff_reported_completed", "other"),
    ],
)
async def test_a_close_after_another_actor_or_collate_ended_the_handoff_is_rejected(
    make_queue, close, action, reason, by
):
    queue = make_queue()
    command = await queue.apply(HandoffRequest())
    assert queue.sim.act(queue.authorization_id, **action) is None
    queue.sim.advance(1)
    late = await queue.apply(close(queue.check(command).handoff_id))
    assert queue.check(late).reason == reason
    (closed,) = queue.events(EventType.HANDOFF_CLOSED)
    assert closed.data.by == by


async def test_unable_to_complete_and_revoke_send_their_own_bodies(make_queue):
    for result, word, reported in (
        (UnableToComplete(reason="channel_outage", operator_notes="n"), "unable_to_complete", "unable_to_complete"),
        (Revoked(reason="free text", notes="n"), "revoked", None),
        (_COMPLETED, "completed_reported", "submitted"),
    ):
        queue = make_queue()
        command = await queue.apply(HandoffRequest())
        ended = await queue.apply(HandoffClose(handoff_id=queue.check(command).handoff_id, result=result))
        assert queue.check(ended).effect == "ours"
        event = await queue.observe_until(EventType.HANDOFF_CLOSED)
        assert (event.data.result, event.data.reported) == (word, reported)
        assert event.data.reason == ("channel_outage" if word == "unable_to_complete" else None)
        reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
        assert (reconciled.data.agreement == "no_report") == (word == "revoked")
        spoken = b"".join((o.value or b"") for o in queue.outputs) + queue.state
        for secret in (b"free text", b"R-1", b'"n"'):
            assert secret not in spoken


async def test_a_recorded_grant_publishes_one_event_and_makes_no_call(make_queue):
    queue = make_queue()
    command = await queue.apply(HandoffRequest())
    handoff, until = queue.check(command).handoff_id, datetime.fromtimestamp(queue.now() + 20, UTC)
    access = queue.send(RecordAccess(handoff_id=handoff, operator="op-1", grant_expires_at=until), caller="desk")
    await queue.apply(RecordAccess(handoff_id=handoff, operator="op-1", grant_expires_at=until), command_id=access)
    (granted,) = queue.events(EventType.HANDOFF_ACCESS_GRANTED)
    assert (granted.data.operator, granted.data.caller, granted.data.handoff_id) == ("op-1", "desk", handoff)
    risk = await queue.observe_until(EventType.HANDOFF_AT_RISK)
    assert (risk.data.reason, risk.data.ends_at) == ("grant_expiring", until + timedelta(minutes=15))
    assert len(queue.events(EventType.COMMAND_FINISHED)) == 1


async def test_an_outcome_lists_its_attempts_without_their_content(make_queue):
    queue = make_queue()
    command = await queue.apply(HandoffRequest())
    attempts = queue.check(command).attempts
    assert [(one.operation, one.result, one.status, one.write) for one in attempts] == [
        ("get-authorization", "answered", 200, None),
        ("create", "answered", 200, 1),
        ("get-authorization", "answered", 200, None),
    ]


async def test_a_finished_command_leaves_no_reference_cycle(make_queue):
    queue = make_queue()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        await queue.apply(HandoffRequest())
        gc.collect()
        found = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    ours = [name for name in found if name.startswith(("adapters.", "consumers.", "schemas."))]
    assert ours == []
