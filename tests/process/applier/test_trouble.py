"""Writes when Collate is slow, ambiguous, contradictory or wrong: at most one effect, and `ours` only where it is."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from consumers.applier.reasons import WAITING
from consumers.authorization.wait_reasons import WaitReason
from consumers.engine import RetryAt
from schemas.commands import HandoffRequest
from schemas.enums import EventType

CREATE = "/manual-handoffs$"
CLOSE = "/complete$"
PROFILES = [
    ("v2",),
    ("v3",),
    ("stores_errors",),
    ("forgets_keys",),
    ("fingerprints_if_match",),
    ("ignores_preconditions",),
    ("stale_replicas",),
]
HONOURS_NO_KEY = {("v3",), ("forgets_keys",)}
LOST_ANSWERS = [
    {"do": "reset", "when": "after"},
    {"do": "hang", "when": "after"},
    {"do": "truncate"},
    {"do": "answer", "when": "after", "status": 502, "shape": "html"},
    {"do": "answer", "when": "after", "status": 500, "code": "internal_error"},
    {"do": "garbage"},
]
NEVER_APPLIED = [
    {"do": "reset", "when": "before"},
    {"do": "hang", "when": "before"},
    {"do": "answer", "when": "before", "status": 503, "shape": "html"},
    {"do": "answer", "when": "before", "status": 429, "code": "rate_limited", "retryAfter": "2"},
]

READINGS = [
    {"check_order": "if_match_first"},
    {"check_order": "active_first"},
    {"key_in_flight": "conflict"},
    {"repeated_close": "first_result"},
    {"create_bumps_version": False},
    {"create_while_active": "conflict"},
    {"closing_seconds": 0.0},
    {"closing_seconds": 20.0},
    {"offered_seconds": 2.0},
    {"status_while_active": "processing"},
    {"if_match_on_close": "handoff"},
    {"reconcile_seconds": 0.0, "closing_seconds": 0.0},
]


async def opened(lane):
    """Open a handoff, undisturbed, and return its id."""
    asked = lane.send(HandoffRequest())
    await lane.drain()
    return lane.check(asked).handoff_id


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=str)
async def test_a_create_whose_answer_was_lost(make_lane, profile, fault):
    lane = make_lane(*profile)
    lane.sim.fault(method="POST", path=CREATE, count=1, **fault)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert outcome.outcome == "applied"
    assert len(lane.effects_of(asked)) == 1
    assert outcome.effect == ("inferred" if profile in HONOURS_NO_KEY else "ours")
    assert len(lane.events(EventType.HANDOFF_OPENED)) == 1


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=str)
async def test_a_close_whose_answer_was_lost(make_lane, close, profile, fault):
    lane = make_lane(*profile)
    handoff = await opened(lane)
    lane.sim.fault(method="POST", path=CLOSE, count=1, **fault)
    asked = lane.send(close(handoff))
    await lane.drain()
    outcome = lane.check(asked)
    assert outcome.outcome == "applied"
    assert len(lane.effects_of(asked)) == 1
    assert outcome.effect == ("inferred" if profile in HONOURS_NO_KEY else "ours")
    closed = await lane.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.data.reported, closed.causation_id) == ("us", "submitted", asked)


@pytest.mark.parametrize("operation", ["create", "close"])
@pytest.mark.parametrize("fault", [*LOST_ANSWERS[:2], {"do": "delay", "seconds": 0.4, "when": "before"}], ids=str)
@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("profile", ["v2", "v3"])
async def test_a_lost_answer_under_every_reading(make_lane, close, *, profile, reading, fault, operation):
    lane = make_lane(profile, readings=reading)
    lane.policy = replace(lane.policy, if_match_on_close=reading.get("if_match_on_close", "authorization"))
    lane.restart()
    handoff = await opened(lane) if operation == "close" else None
    lane.sim.fault(method="POST", path=CLOSE if handoff else CREATE, count=1, **fault)
    asked = lane.send(close(handoff) if handoff else HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert outcome.outcome == "applied"
    assert len(lane.effects_of(asked)) == 1
    if reading == {"key_in_flight": "conflict"} and profile == "v2" and fault["do"] == "delay":
        assert 409 in [call.status for call in lane.sim.ledger.calls], "the resend met the first attempt"
    # Where If-Match is looked at before the key there is no replay, so nothing proves whose effect it is.
    if profile == "v2" and fault["do"] != "delay":
        assert outcome.effect == ("inferred" if reading.get("check_order") == "if_match_first" else "ours")


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
@pytest.mark.parametrize("fault", NEVER_APPLIED, ids=str)
async def test_a_create_that_did_not_arrive_is_sent_again(make_lane, profile, fault):
    lane = make_lane(*profile)
    lane.sim.fault(method="POST", path=CREATE, count=1, **fault)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")


async def test_refused_credentials_pause_the_command_until_there_is_a_new_key(make_lane, tmp_path, eventually):
    lane = make_lane()
    lane.sim.fault("answer", method="POST", path=CREATE, status=401, code="unauthorized", count=1)
    asked = lane.send(HandoffRequest())
    answer = await lane.turn()
    assert answer.reason is WaitReason.CREDENTIALS
    lane.sim.api.organizations["rotated"] = lane.sim.api.organizations["local-collate-key"]
    (tmp_path / "key").write_text("rotated")

    async def is_finished():
        return not isinstance(await lane.turn(), RetryAt)

    await eventually(is_finished)
    assert lane.check(asked).effect == "ours"
    assert len({key for name, key in lane.collate.calls if name == "create_handoff"}) == 1


@pytest.mark.parametrize("operation", ["create", "close"])
@pytest.mark.parametrize("profile", [("v2",), ("v3",), ("forgets_keys",)], ids="-".join)
async def test_applied_late_after_we_gave_up_waiting(make_lane, close, profile, operation):
    lane = make_lane(*profile)
    handoff = await opened(lane) if operation == "close" else None
    path = CLOSE if handoff else CREATE
    lane.sim.fault("delay", method="POST", path=path, seconds=0.4, when="before", count=1)
    asked = lane.send(close(handoff) if handoff else HandoffRequest())
    await lane.drain()
    assert lane.check(asked).outcome == "applied"


@pytest.mark.parametrize("profile", PROFILES[:5], ids="-".join)
async def test_another_actor_moves_the_version_between_read_and_write(make_lane, profile):
    lane = make_lane(*profile)
    lane.sim.fault("act", method="POST", path=CREATE, count=2, actor={"do": "edit"})
    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    assert len({key for name, key in lane.collate.calls if name == "create_handoff"}) == 3


async def test_another_actor_opens_a_handoff_between_read_and_write(make_lane):
    lane = make_lane()
    lane.sim.fault("act", method="POST", path=CREATE, count=1, actor={"do": "open_handoff"})
    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect) == ("already_done", "none")
    (event,) = lane.events(EventType.HANDOFF_OPENED)
    assert (event.data.handoff_id, event.causation_id) == (outcome.handoff_id, None)


async def test_another_actor_opens_a_handoff_while_our_answer_is_out(make_lane):
    lane = make_lane()
    lane.sim.fault("reset", method="POST", path=CREATE, when="before", count=1)
    asked = lane.send(HandoffRequest())
    assert isinstance(await lane.turn(), RetryAt)
    assert lane.sim.act(lane.authorization_id, do="open_handoff") is None
    await lane.drain()
    outcome = lane.check(asked)
    # Nothing that Collate shows tells it from ours: no more is said than that it is there.
    assert (outcome.outcome, outcome.effect, outcome.reason) == ("applied", "inferred", None)
    (event,) = lane.events(EventType.HANDOFF_OPENED)
    assert event.data.handoff_id == outcome.handoff_id


async def opened_and_replaced(lane, *doings):
    """Have our opening's answer lost, let others act, and take our command to its end."""
    lane.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = lane.send(HandoffRequest())
    assert isinstance(await lane.turn(), RetryAt)
    for doing in doings:
        assert lane.sim.act(lane.authorization_id, **doing) is None
        lane.sim.advance(1)
    return asked


REVOKE = {"do": "revoke", "reason": "theirs"}


async def test_an_opening_that_others_may_have_replaced_is_inferred_and_not_named(make_lane):
    lane = make_lane(readings={"check_order": "if_match_first", "closing_seconds": 0.0})
    asked = await opened_and_replaced(lane, REVOKE, {"do": "open_handoff"})
    await lane.drain()
    assert len(lane.effects_of(asked)) == 1
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect, outcome.handoff_id) == ("applied", "inferred", None)
    assert outcome.reason == "opening_not_identified"
    assert lane.remembered().active.opener is None, "what is open may be another's"


async def test_an_opening_that_others_are_ending_is_no_open_handoff(make_lane):
    lane = make_lane(readings={"check_order": "if_match_first", "closing_seconds": 20.0})
    asked = await opened_and_replaced(lane, REVOKE)
    await lane.drain()
    (letter,) = lane.dead_letters()
    assert (letter.command_id, letter.cause) == (asked, "outcome_unknown")


async def test_another_actor_closes_as_we_would_between_read_and_write(make_lane, close):
    lane = make_lane()
    handoff = await opened(lane)
    lane.sim.fault(
        "act", method="POST", path=CLOSE, count=1, actor={"do": "complete", "reportedOutcome": "decision_observed"}
    )
    asked = lane.send(close(handoff))
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.reason) == ("rejected", "handoff_reported_completed")
    (event,) = lane.events(EventType.HANDOFF_CLOSED)
    assert (event.data.by, event.data.reported) == ("other", None)
    reconciled = await lane.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "undetermined"


async def test_an_older_handoff_answered_to_our_create_is_not_ours(make_lane):
    lane = make_lane(readings={"check_order": "active_first"}, state="handoff_active")
    lane.sim.advance(600)
    hidden = lane.sim.fault(
        "rewrite", method="GET", path=f"/{lane.authorization_id}$", count=1, overlay={"activeManualHandoff": None}
    )
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert hidden.struck == 1
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect) == ("already_done", "none")


async def test_a_create_that_may_have_come_and_gone_is_dead_lettered_and_never_sent_again(make_lane):
    lane = make_lane("forgets_keys")
    lane.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = lane.send(HandoffRequest())
    assert isinstance(await lane.turn(), RetryAt)
    lane.sim.act(lane.authorization_id, "revoke", reason="somebody else")
    lane.sim.advance(5)
    await lane.drain()
    assert lane.check(asked) is None
    (letter,) = lane.dead_letters()
    assert letter.cause == "outcome_unknown"
    assert letter.intents[-1]["maybe"]["version"] == 3
    assert lane.casualties == 1
    (event,) = lane.events(EventType.COMMAND_DEAD_LETTERED)
    assert event.data.cause == "outcome_unknown"
    assert lane.events(EventType.COMMAND_FINISHED) == []
    posts = [name for name, _ in lane.collate.calls].count("create_handoff")
    lane.send(HandoffRequest(), command_id=asked)
    await lane.drain()
    assert [name for name, _ in lane.collate.calls].count("create_handoff") == posts


async def test_a_dead_letter_leaves_its_authorization_watched_and_told_as_it_was_seen(make_lane):
    lane = make_lane("forgets_keys")
    lane.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    lane.send(HandoffRequest())
    assert isinstance(await lane.turn(), RetryAt)
    lane.sim.act(lane.authorization_id, "revoke", reason="somebody else")
    lane.sim.advance(5)
    lane.sim.act(lane.authorization_id, "payer", truth="received")
    await lane.drain()
    assert [letter.cause for letter in lane.dead_letters()] == ["outcome_unknown"]
    changed = lane.events(EventType.AUTHORIZATION_CHANGED)[-1]
    assert (changed.data.to_status, changed.data.receipt_seen) == ("waiting_on_payer", True)
    lane.sim.act(lane.authorization_id, "payer", truth="approved")
    settled = await lane.observe_until(EventType.AUTHORIZATION_SETTLED)
    assert settled.data.payer.outcome == "approved"


async def test_a_stored_error_is_left_behind_by_the_next_n(make_lane):
    lane = make_lane("stores_errors")
    lane.sim.fault("answer", method="POST", path=CREATE, status=500, code="internal_error", count=1)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    keys = [key for name, key in lane.collate.calls if name == "create_handoff"]
    assert len(keys) == 4
    assert len(set(keys)) == 2


async def test_an_error_that_never_ends_is_a_dead_letter_when_the_commands_life_is_over(make_lane):
    lane = make_lane()
    lane.policy = replace(lane.policy, command_max_age_seconds=2.5 * 3600)
    lane.restart()
    lane.sim.fault("answer", method="POST", path=CREATE, status=500, code="internal_error")
    asked = lane.send(HandoffRequest())
    await lane.drain()
    (letter,) = lane.dead_letters()
    assert letter.cause == "too_old"
    assert len(lane.effects_of(asked)) == 0
    assert len(letter.intents) == 8


async def test_an_outage_of_writes_alone_uses_up_nothing(make_lane):
    lane = make_lane()
    asking = {"code": "unavailable", "retryAfter": "1", "retryable": True}
    lane.sim.fault("answer", method="POST", path=CREATE, status=503, when="before", **asking)
    began = lane.now()
    asked = lane.send(HandoffRequest())
    while lane.now() < began + 600.0:
        lane.pass_until((await lane.turn()).at)
    lane.sim.faults.clear()
    await lane.drain()
    assert (lane.check(asked).outcome, lane.check(asked).effect) == ("applied", "ours")


@pytest.mark.parametrize(("code", "status"), [("version_conflict", 409), ("locked", 423)])
async def test_retry_after_is_obeyed_where_a_refusal_asks_for_another_look(make_lane, code, status):
    lane = make_lane()
    lane.sim.fault("answer", method="POST", path=CREATE, status=status, code=code, retryAfter="30", count=1)
    asked = lane.send(HandoffRequest())
    answer = await lane.turn()
    assert answer.reason is WaitReason.RETRY_AFTER
    assert 29.0 < answer.at - lane.now() < 34.0
    await lane.drain()
    assert lane.check(asked).effect == "ours"


async def test_what_may_be_under_way_under_a_key_is_not_overtaken_by_another_key(make_lane):
    lane = make_lane()
    lane.sim.fault("hang", method="POST", path=CREATE, when="before", count=1)
    asked = lane.send(HandoffRequest())
    lane.pass_until((await lane.turn()).at)
    busy = {"status": 409, "code": "idempotency_request_in_progress", "retryable": True}
    lane.sim.fault("answer", method="POST", path=CREATE, when="before", **busy)
    for _ in range(8):
        lane.pass_until((await lane.turn()).at)
    lane.sim.faults.clear()
    await lane.drain()
    assert lane.check(asked).effect == "ours"
    assert len({key for name, key in lane.collate.calls if name == "create_handoff"}) == 1


async def test_not_found_that_may_pass_is_asked_again(make_lane):
    lane = make_lane()
    lane.sim.fault("answer", method="GET", status=404, code="not_here_yet", retryable=True, count=3)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert lane.check(asked).effect == "ours"


@pytest.mark.parametrize(
    ("code", "status", "outcome", "reason"),
    [
        ("review_stale", 409, "rejected", "review_snapshot_stale"),
        ("requirements_not_satisfied", 409, "rejected", "requirements_not_satisfied"),
        ("manual_handoff_not_allowed", 409, "rejected", "not_allowed_by_collate"),
        ("prior_authorization_not_actionable", 409, "rejected", "not_allowed_by_collate"),
        ("never_heard_of", 409, "rejected", "not_allowed_by_collate"),
    ],
)
async def test_a_refusal_that_stays_is_a_rejection(make_lane, code, status, outcome, reason):
    lane = make_lane()
    lane.sim.fault("answer", method="POST", path=CREATE, status=status, code=code)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    ended = lane.check(asked)
    assert (ended.outcome, ended.reason) == (outcome, reason)
    assert [name for name, _ in lane.collate.calls].count("create_handoff") <= 3


async def test_a_request_that_collate_cannot_read_is_a_dead_letter(make_lane):
    lane = make_lane()
    lane.sim.fault("answer", method="POST", path=CREATE, status=400, code="bad_request")
    lane.send(HandoffRequest())
    await lane.drain()
    (letter,) = lane.dead_letters()
    assert letter.cause == "request_refused"
    assert letter.intents[-1]["ended"] == "bad_request"


async def test_a_403_for_one_authorization_rejects_it_once_another_was_let_in(make_lane):
    lane = make_lane()
    other = make_lane()
    other.send(HandoffRequest())
    await other.drain()
    lane.sim.fault("answer", path=lane.authorization_id, status=403, code="forbidden")
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert lane.check(asked).reason == "forbidden"


async def test_a_key_conflict_of_collates_takes_the_next_key(make_lane):
    lane = make_lane()
    lane.sim.fault("answer", method="POST", path=CREATE, status=409, code="idempotency_key_reused", count=1)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert lane.check(asked).effect == "ours"
    assert len({key for name, key in lane.collate.calls if name == "create_handoff"}) == 2


async def test_a_request_waits_while_the_last_handoff_is_closing_and_says_why(make_lane, close):
    lane = make_lane(readings={"closing_seconds": 40.0})
    handoff = await opened(lane)
    lane.send(close(handoff))
    await lane.drain()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert {wait.reason for wait in lane.waits} == {WaitReason.CLOSING}
    (waiting,) = lane.events(EventType.COMMAND_WAITING)
    assert (waiting.data.reason, waiting.data.command_id) == ("closing", asked)
    assert waiting.data.advice == WAITING[WaitReason.CLOSING]
    assert lane.check(asked).outcome == "rejected"


async def test_a_stale_read_is_never_decided_on(make_lane, close):
    lane = make_lane(readings={"closing_seconds": 0.0})
    handoff = await opened(lane)
    lane.sim.change(stale_probability=0.7, stale_seconds=30.0)
    asked = lane.send(close(handoff))
    again = lane.send(HandoffRequest())
    await lane.drain()
    assert lane.check(asked).outcome == "applied"
    assert lane.check(again).outcome in {"rejected", "applied"}
    assert len(lane.events(EventType.HANDOFF_CLOSED)) <= 1


async def test_a_command_expires_before_anything_was_sent(make_lane):
    lane = make_lane()
    soon = datetime.fromtimestamp(lane.now() + 30, UTC)
    lane.sim.fault("hang", method="GET")
    asked = lane.send(HandoffRequest(expires_at=soon))
    await lane.drain()
    outcome = lane.check(asked)
    assert (outcome.outcome, outcome.reason, outcome.effect) == ("expired", "expired", "none")


async def test_expiry_no_longer_counts_once_something_may_have_been_sent(make_lane):
    lane = make_lane("v3")
    soon = datetime.fromtimestamp(lane.now() + 30, UTC)
    lane.sim.fault("reset", method="POST", when="after", count=1)
    asked = lane.send(HandoffRequest(expires_at=soon))
    assert isinstance(await lane.turn(), RetryAt)
    lane.sim.advance(60)
    await lane.drain()
    assert lane.check(asked).effect == "inferred"


async def test_the_default_expiry_of_a_request_is_an_hour_after_its_acceptance(make_lane):
    lane = make_lane()
    asked = lane.send(HandoffRequest(), accepted_at=lane.now() - 3601)
    await lane.drain()
    assert lane.check(asked).outcome == "expired"
    assert lane.collate.calls == []


async def test_a_close_of_any_age_gets_one_try(make_lane, close):
    lane = make_lane()
    handoff = await opened(lane)
    asked = lane.send(close(handoff), accepted_at=lane.now() - 3 * 86_400)
    await lane.drain()
    assert lane.check(asked).effect == "ours"


async def test_a_command_lives_a_day_then_it_is_a_dead_letter(make_lane, close):
    lane = make_lane(readings={"abandonment_seconds": None})
    handoff = await opened(lane)
    lane.policy = replace(lane.policy, command_max_age_seconds=300.0)
    lane.restart()
    lane.sim.fault("hang", method="GET")
    lane.send(close(handoff))
    await lane.drain()
    (letter,) = lane.dead_letters()
    assert (letter.cause, letter.intents) == ("too_old", [])
    reasons = [event.data.reason for event in lane.events(EventType.COMMAND_WAITING)]
    assert reasons == ["backoff"]


@pytest.mark.parametrize("keys", ["v2", "v3"])
async def test_past_the_keys_retention_reading_decides(make_lane, close, keys):
    lane = make_lane(keys, readings={"abandonment_seconds": None})
    handoff = await opened(lane)
    lane.policy = replace(lane.policy, key_retention_seconds=60.0)
    lane.restart()
    lane.sim.fault("reset", method="POST", path=CLOSE, when="after", count=1)
    asked = lane.send(close(handoff))
    assert isinstance(await lane.turn(), RetryAt)
    posts = [name for name, _ in lane.collate.calls].count("close_handoff")
    lane.sim.advance(120)
    await lane.drain()
    assert lane.check(asked).effect == "inferred"
    assert [name for name, _ in lane.collate.calls].count("close_handoff") == posts


async def test_a_doubled_effect_is_detected_and_alarmed(make_lane):
    lane = make_lane("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    lane.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert len(lane.effects_of(asked)) == 2, "the simulated Collate must honour neither key nor If-Match here"
    assert lane.finished_of(asked).effect == "inferred"
    assert lane.metrics.double_effects._value.get() == 1


async def test_without_a_look_at_what_a_resend_did_it_is_not_called_ours(make_lane):
    lane = make_lane("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    lane.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = lane.send(HandoffRequest())
    lane.pass_until((await lane.turn()).at)
    lane.sim.fault("answer", method="GET", status=500, code="internal_error", count=2)
    await lane.drain()
    assert lane.finished_of(asked).effect == "inferred"
    assert lane.metrics.double_effects._value.get() == 1, "two looks failed, the third one saw it"

    lane = make_lane("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    lane.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = lane.send(HandoffRequest())
    lane.pass_until((await lane.turn()).at)
    lane.sim.fault("answer", method="GET", status=500, code="internal_error")
    await lane.drain()
    assert lane.finished_of(asked).effect == "inferred"


async def test_openings_of_which_no_answer_came_through_are_alarmed_as_well(make_lane):
    lane = make_lane("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    lane.sim.fault("answer", method="POST", path=CREATE, when="after", status=500, code="internal_error", count=3)
    asked = lane.send(HandoffRequest())
    await lane.drain()
    assert len(lane.effects_of(asked)) == 3
    outcome = lane.finished_of(asked)
    assert (outcome.effect, outcome.reason) == ("inferred", "opening_not_identified")
    assert lane.metrics.double_effects._value.get() == 1


async def test_where_if_match_is_not_honoured_nothing_is_called_ours(make_lane, close):
    lane = make_lane("ignores_preconditions")
    lane.policy = replace(lane.policy, if_match_is_honoured=False)
    lane.restart()
    asked = lane.send(HandoffRequest())
    await lane.drain()
    closed = lane.send(close(lane.check(asked).handoff_id))
    await lane.drain()
    assert {lane.check(asked).effect, lane.check(closed).effect} == {"inferred"}


async def test_payer_truth_that_contradicts_the_report(make_lane, close):
    lane = make_lane(truth="nothing")
    handoff = await opened(lane)
    lane.send(close(handoff))
    await lane.drain()
    reconciled = await lane.observe_until(EventType.HANDOFF_RECONCILED)
    assert (reconciled.data.reported, reconciled.data.agreement) == ("submitted", "contradicts")
    assert len(lane.events(EventType.AUTHORIZATION_ACTION_REQUIRED)) == 2


async def test_an_alarm_while_a_write_may_be_under_way_does_not_take_our_close_for_anothers(make_lane, close):
    lane = make_lane(readings={"closing_seconds": 0.0})
    handoff = await opened(lane)
    lane.sim.fault("reset", method="POST", path=CLOSE, when="after", count=1)
    asked = lane.send(close(handoff))
    assert isinstance(await lane.turn(), RetryAt)
    lane.restart()
    await lane.observe()
    assert lane.events(EventType.HANDOFF_CLOSED) == []
    await lane.drain()
    (closed,) = lane.events(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.causation_id) == ("us", asked)
