"""A command's way, undisturbed: requests, closes, watches, duplicates, rejections."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.engine import UNCHANGED
from schemas.commands import Completed, HandoffClose, HandoffRequest, RecordAccess, Revoked, UnableToComplete
from schemas.enums import EventType, ReportedOutcome

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


async def test_a_handoff_walks_the_whole_way(make_lane, close, watch):
    lane = make_lane()
    watched = lane.send(watch())
    await lane.drain()
    assert lane.finished_of(watched).outcome == "applied"
    assert [e.data.TYPE for e in lane.events()] == [
        EventType.AUTHORIZATION_CHANGED,
        EventType.AUTHORIZATION_ACTION_REQUIRED,
        EventType.COMMAND_FINISHED,
    ]

    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    (opened,) = lane.events(EventType.HANDOFF_OPENED)
    assert opened.data.handoff_id == outcome.handoff_id
    assert opened.causation_id == asked
    assert lane.record().active_handoff.id == outcome.handoff_id

    closed = lane.send(close(outcome.handoff_id))
    await lane.drain()
    assert (lane.check(closed).outcome, lane.check(closed).effect) == ("applied", "ours")
    event = await lane.observe_until(EventType.HANDOFF_CLOSED)
    assert (event.data.result, event.data.by, event.data.reported) == ("completed_reported", "us", "submitted")
    assert event.causation_id == closed
    reconciled = await lane.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "agrees"
    lane.sim.act(lane.authorization_id, "payer", truth="approved")
    settled = await lane.observe_until(EventType.AUTHORIZATION_SETTLED)
    assert (settled.data.agreement, settled.data.reported) == ("agrees", "submitted")
    assert lane.record().settled_at is not None
    assert lane.record().sequence == settled.sequence
    for kind in (EventType.HANDOFF_CLOSED, EventType.HANDOFF_RECONCILED, EventType.AUTHORIZATION_SETTLED):
        assert len(lane.events(kind)) == 1


async def test_one_get_one_intent_one_post(make_lane):
    lane = make_lane()
    lane.send(HandoffRequest())
    await lane.drain()
    assert [name for name, _ in lane.collate.calls] == ["get_authorization", "create_handoff"]


async def test_the_same_command_again_publishes_nothing(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    before, alarm = len(lane.outputs), lane.timer_at
    lane.send(HandoffRequest(), command_id=asked)
    answer = await lane.turn()
    assert (answer.outputs, answer.state, answer.timer_at) == ((), UNCHANGED, alarm)
    assert len(lane.outputs) == before
    assert len(lane.effects_of(asked)) == 1


async def test_another_body_under_a_known_id_is_a_conflict_and_no_outcome(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    lane.send(HandoffRequest(accepted_review_snapshot_id="rev_1"), command_id=asked)
    await lane.drain()
    (conflict,) = lane.events(EventType.COMMAND_KEY_CONFLICT)
    assert conflict.data.command_id == asked
    assert lane.finished_of(asked).outcome == "applied"


async def test_a_second_request_finds_the_handoff_open(make_lane):
    lane = make_lane()
    first = lane.send(HandoffRequest())
    second = lane.send(HandoffRequest())
    await lane.drain()
    assert lane.check(second).outcome == "already_done"
    assert lane.check(second).handoff_id == lane.check(first).handoff_id
    assert lane.check(second).effect == "none"


@pytest.mark.parametrize("readings", _READINGS)
async def test_request_and_close_under_every_reading(make_lane, close, readings):
    lane = make_lane(readings=readings)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    await lane.observe_until(EventType.HANDOFF_OPENED)
    closed = lane.send(close(outcome.handoff_id))
    await lane.drain()
    assert lane.check(closed).effect == "ours"
    reconciled = await lane.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "agrees"
    assert len(lane.events(EventType.HANDOFF_OPENED)) == len(lane.events(EventType.HANDOFF_CLOSED)) == 1


async def test_if_match_on_close_may_be_the_handoffs_version(make_lane, close):
    lane = make_lane(readings={"if_match_on_close": "handoff"})
    lane.policy = replace(lane.policy, if_match_on_close="handoff")
    lane.restart()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    closed = lane.send(close(lane.check(asked).handoff_id))
    await lane.drain()
    assert lane.check(closed).effect == "ours"


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
async def test_no_handoff_is_asked_for_in_any_other_state(make_lane, state, reason):
    lane = make_lane(state=state)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.reason) == ("rejected", reason)
    assert outcome.advice
    assert "create_handoff" not in [name for name, _ in lane.collate.calls]


async def test_no_review_backed_handoff_without_the_accepted_current_snapshot(make_lane):
    lane = make_lane(review_backed=True)
    missing, stale = lane.send(HandoffRequest()), lane.send(HandoffRequest(accepted_review_snapshot_id="rev_old"))
    await lane.drain()
    assert lane.check(missing).reason == "review_snapshot_required"
    assert lane.check(stale).reason == "review_snapshot_stale"
    (needed,) = lane.events(EventType.AUTHORIZATION_ACTION_REQUIRED)
    right = lane.send(HandoffRequest(accepted_review_snapshot_id=needed.data.covers_review_snapshot_id))
    await lane.drain()
    assert lane.check(right).effect == "ours"


async def test_an_unknown_authorization_is_rejected_and_not_watched(make_lane):
    lane = make_lane(authorization_id="auth_nobody")
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert lane.check(asked).reason == "authorization_not_found"
    assert lane.remembered().watch is None


async def test_closing_what_was_never_opened(make_lane, close):
    lane = make_lane()
    asked = lane.send(close("mhand_nobody"))
    await lane.drain()
    assert lane.check(asked).reason == "handoff_not_found"


async def test_closing_twice_with_the_same_report_is_already_done_with_another_it_is_rejected(make_lane, close):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    handoff = lane.check(asked).handoff_id
    lane.send(close(handoff))
    same, other = lane.send(close(handoff)), lane.send(close(handoff, "decision_observed"))
    unable = lane.send(HandoffClose(handoff_id=handoff, result=UnableToComplete(reason="other")))
    await lane.drain()
    assert lane.check(same).outcome == "already_done"
    assert lane.check(other).reason == "handoff_reported_completed"
    assert lane.check(unable).reason == "handoff_reported_completed"


@pytest.mark.parametrize(
    ("doing", "reason", "by"),
    [
        ({"do": "expire"}, "handoff_expired", "expiry"),
        ({"do": "lose_session"}, "handoff_lost", "loss"),
        ({"do": "cancel"}, "handoff_canceled", "cancellation"),
        ({"do": "revoke", "reason": "r"}, "handoff_revoked", "other"),
        ({"do": "complete", "reportedOutcome": "submitted"}, "handoff_reported_completed", "other"),
    ],
)
async def test_a_handoff_that_others_or_collate_ended(make_lane, close, doing, reason, by):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert lane.sim.act(lane.authorization_id, **doing) is None
    lane.sim.advance(1)
    late = lane.send(close(lane.check(asked).handoff_id))
    await lane.drain()
    assert lane.check(late).reason == reason
    (closed,) = lane.events(EventType.HANDOFF_CLOSED)
    assert closed.data.by == by


async def test_unable_and_revoke_use_their_own_words(make_lane):
    for result, word, reported in (
        (UnableToComplete(reason="channel_outage", operator_notes="n"), "unable_to_complete", "unable_to_complete"),
        (Revoked(reason="free text", notes="n"), "revoked", None),
        (_COMPLETED, "completed_reported", "submitted"),
    ):
        lane = make_lane()
        asked = lane.send(HandoffRequest())
        await lane.drain()
        ended = lane.send(HandoffClose(handoff_id=lane.check(asked).handoff_id, result=result))
        await lane.drain()
        assert lane.check(ended).effect == "ours"
        event = await lane.observe_until(EventType.HANDOFF_CLOSED)
        assert (event.data.result, event.data.reported) == (word, reported)
        reconciled = await lane.observe_until(EventType.HANDOFF_RECONCILED)
        assert (reconciled.data.agreement == "no_report") == (word == "revoked")
        spoken = b"".join((o.value or b"") for o in lane.outputs) + lane.memory
        for secret in (b"free text", b"R-1", b'"n"'):
            assert secret not in spoken


async def test_an_access_grant_is_published_and_nothing_else(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    handoff, until = lane.check(asked).handoff_id, datetime.fromtimestamp(lane.now() + 20, UTC)
    access = lane.send(RecordAccess(handoff_id=handoff, operator="op-1", grant_expires_at=until))
    lane.send(RecordAccess(handoff_id=handoff, operator="op-1", grant_expires_at=until), command_id=access)
    await lane.drain()
    (granted,) = lane.events(EventType.HANDOFF_ACCESS_GRANTED)
    assert (granted.data.operator, granted.data.handoff_id) == ("op-1", handoff)
    risk = await lane.observe_until(EventType.HANDOFF_AT_RISK)
    assert risk.data.reason == "grant_expired"
    assert len(lane.events(EventType.COMMAND_FINISHED)) == 1


async def test_the_gateway_never_asks_for_a_live_session(make_lane, close):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    lane.send(close(lane.check(asked).handoff_id))
    await lane.drain()
    assert not [call for call in lane.sim.ledger.calls if "live-session" in call.path or "access-grants" in call.path]


async def test_an_outcome_tells_its_attempts_and_none_of_their_content(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    attempts = lane.check(asked).attempts
    assert [(one.operation, one.result, one.status, one.write) for one in attempts] == [
        ("get-authorization", "answered", 200, None),
        ("create", "answered", 200, 1),
    ]
