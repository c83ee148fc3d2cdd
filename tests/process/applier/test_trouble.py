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


async def opened(queue):
    """Open a handoff, undisturbed, and return its id."""
    asked = queue.send(HandoffRequest())
    await queue.drain()
    return queue.check(asked).handoff_id


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=str)
async def test_a_create_whose_answer_was_lost(make_queue, profile, fault):
    queue = make_queue(*profile)
    queue.sim.fault(method="POST", path=CREATE, count=1, **fault)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    outcome = queue.check(asked)
    assert outcome.outcome == "applied"
    assert len(queue.effects_of(asked)) == 1
    assert outcome.effect == ("inferred" if profile in HONOURS_NO_KEY else "ours")
    assert len(queue.events(EventType.HANDOFF_OPENED)) == 1


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=str)
async def test_a_close_whose_answer_was_lost(make_queue, close, profile, fault):
    queue = make_queue(*profile)
    handoff = await opened(queue)
    queue.sim.fault(method="POST", path=CLOSE, count=1, **fault)
    asked = queue.send(close(handoff))
    await queue.drain()
    outcome = queue.check(asked)
    assert outcome.outcome == "applied"
    assert len(queue.effects_of(asked)) == 1
    assert outcome.effect == ("inferred" if profile in HONOURS_NO_KEY else "ours")
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.data.reported, closed.causation_id) == ("us", "submitted", asked)


@pytest.mark.parametrize("operation", ["create", "close"])
@pytest.mark.parametrize("fault", [*LOST_ANSWERS[:2], {"do": "delay", "seconds": 0.4, "when": "before"}], ids=str)
@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("profile", ["v2", "v3"])
async def test_a_lost_answer_under_every_reading(make_queue, close, *, profile, reading, fault, operation):
    queue = make_queue(profile, readings=reading)
    queue.settings = replace(queue.settings, if_match_on_close=reading.get("if_match_on_close", "authorization"))
    queue.restart()
    handoff = await opened(queue) if operation == "close" else None
    queue.sim.fault(method="POST", path=CLOSE if handoff else CREATE, count=1, **fault)
    asked = queue.send(close(handoff) if handoff else HandoffRequest())
    await queue.drain()
    outcome = queue.check(asked)
    assert outcome.outcome == "applied"
    assert len(queue.effects_of(asked)) == 1
    if reading == {"key_in_flight": "conflict"} and profile == "v2" and fault["do"] == "delay":
        assert 409 in [call.status for call in queue.sim.ledger.calls], "the resend met the first attempt"
    # Where If-Match is looked at before the key there is no replay, so nothing proves whose effect it is.
    if profile == "v2" and fault["do"] != "delay":
        assert outcome.effect == ("inferred" if reading.get("check_order") == "if_match_first" else "ours")


@pytest.mark.parametrize("profile", PROFILES, ids="-".join)
@pytest.mark.parametrize("fault", NEVER_APPLIED, ids=str)
async def test_a_create_that_did_not_arrive_is_sent_again(make_queue, profile, fault):
    queue = make_queue(*profile)
    queue.sim.fault(method="POST", path=CREATE, count=1, **fault)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")


async def test_refused_credentials_pause_the_command_until_there_is_a_new_key(make_queue, tmp_path, eventually):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=401, code="unauthorized", count=1)
    asked = queue.send(HandoffRequest())
    answer = await queue.invoke()
    assert answer.reason is WaitReason.CREDENTIALS
    queue.sim.api.organizations["rotated"] = queue.sim.api.organizations["local-collate-key"]
    (tmp_path / "key").write_text("rotated")

    async def is_finished():
        return not isinstance(await queue.invoke(), RetryAt)

    await eventually(is_finished)
    assert queue.check(asked).effect == "ours"
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 1


@pytest.mark.parametrize("operation", ["create", "close"])
@pytest.mark.parametrize("profile", [("v2",), ("v3",), ("forgets_keys",)], ids="-".join)
async def test_applied_late_after_we_gave_up_waiting(make_queue, close, profile, operation):
    queue = make_queue(*profile)
    handoff = await opened(queue) if operation == "close" else None
    path = CLOSE if handoff else CREATE
    queue.sim.fault("delay", method="POST", path=path, seconds=0.4, when="before", count=1)
    asked = queue.send(close(handoff) if handoff else HandoffRequest())
    await queue.drain()
    assert queue.check(asked).outcome == "applied"


@pytest.mark.parametrize("profile", PROFILES[:5], ids="-".join)
async def test_another_actor_moves_the_version_between_read_and_write(make_queue, profile):
    queue = make_queue(*profile)
    queue.sim.fault("act", method="POST", path=CREATE, count=2, actor={"do": "edit"})
    asked = queue.send(HandoffRequest())
    await queue.drain()
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 3


async def test_another_actor_opens_a_handoff_between_read_and_write(make_queue):
    queue = make_queue()
    queue.sim.fault("act", method="POST", path=CREATE, count=1, actor={"do": "open_handoff"})
    asked = queue.send(HandoffRequest())
    await queue.drain()
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.effect) == ("already_done", "none")
    (event,) = queue.events(EventType.HANDOFF_OPENED)
    assert (event.data.handoff_id, event.causation_id) == (outcome.handoff_id, None)


async def test_another_actor_opens_a_handoff_while_our_answer_is_out(make_queue):
    queue = make_queue()
    queue.sim.fault("reset", method="POST", path=CREATE, when="before", count=1)
    asked = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    assert queue.sim.act(queue.authorization_id, do="open_handoff") is None
    await queue.drain()
    outcome = queue.check(asked)
    # Nothing that Collate shows tells it from ours: no more is said than that it is there.
    assert (outcome.outcome, outcome.effect, outcome.reason) == ("applied", "inferred", None)
    (event,) = queue.events(EventType.HANDOFF_OPENED)
    assert event.data.handoff_id == outcome.handoff_id


async def opened_and_replaced(queue, *doings):
    """Have our opening's answer lost, let others act, and take our command to its end."""
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    for doing in doings:
        assert queue.sim.act(queue.authorization_id, **doing) is None
        queue.sim.advance(1)
    return asked


REVOKE = {"do": "revoke", "reason": "theirs"}


async def test_an_opening_that_others_may_have_replaced_is_inferred_and_not_named(make_queue):
    queue = make_queue(readings={"check_order": "if_match_first", "closing_seconds": 0.0})
    asked = await opened_and_replaced(queue, REVOKE, {"do": "open_handoff"})
    await queue.drain()
    assert len(queue.effects_of(asked)) == 1
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.effect, outcome.handoff_id) == ("applied", "inferred", None)
    assert outcome.reason == "opening_not_identified"
    assert queue.decoded_state().active.opener is None, "what is open may be another's"


async def test_an_opening_that_others_are_ending_is_no_open_handoff(make_queue):
    queue = make_queue(readings={"check_order": "if_match_first", "closing_seconds": 20.0})
    asked = await opened_and_replaced(queue, REVOKE)
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert (letter.command_id, letter.cause) == (asked, "outcome_unknown")


async def test_another_actor_closes_as_we_would_between_read_and_write(make_queue, close):
    queue = make_queue()
    handoff = await opened(queue)
    queue.sim.fault(
        "act", method="POST", path=CLOSE, count=1, actor={"do": "complete", "reportedOutcome": "decision_observed"}
    )
    asked = queue.send(close(handoff))
    await queue.drain()
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.reason) == ("rejected", "handoff_reported_completed")
    (event,) = queue.events(EventType.HANDOFF_CLOSED)
    assert (event.data.by, event.data.reported) == ("other", None)
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert reconciled.data.agreement == "undetermined"


async def test_an_older_handoff_answered_to_our_create_is_not_ours(make_queue):
    queue = make_queue(readings={"check_order": "active_first"}, state="handoff_active")
    queue.sim.advance(600)
    hidden = queue.sim.fault(
        "rewrite", method="GET", path=f"/{queue.authorization_id}$", count=1, overlay={"activeManualHandoff": None}
    )
    asked = queue.send(HandoffRequest())
    await queue.drain()
    assert hidden.struck == 1
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.effect) == ("already_done", "none")


async def test_a_create_that_may_have_come_and_gone_is_dead_lettered_and_never_sent_again(make_queue):
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="somebody else")
    queue.sim.advance(5)
    await queue.drain()
    assert queue.check(asked) is None
    (letter,) = queue.dead_letters()
    assert letter.cause == "outcome_unknown"
    assert letter.intents[-1]["maybe"]["version"] == 3
    assert queue.dead_lettered == 1
    (event,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert event.data.cause == "outcome_unknown"
    assert queue.events(EventType.COMMAND_FINISHED) == []
    posts = [name for name, _ in queue.collate.calls].count("create_handoff")
    queue.send(HandoffRequest(), command_id=asked)
    await queue.drain()
    assert [name for name, _ in queue.collate.calls].count("create_handoff") == posts


async def test_a_dead_letter_leaves_its_authorization_watched_and_told_as_it_was_seen(make_queue):
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="somebody else")
    queue.sim.advance(5)
    queue.sim.act(queue.authorization_id, "payer", truth="received")
    await queue.drain()
    assert [letter.cause for letter in queue.dead_letters()] == ["outcome_unknown"]
    changed = queue.events(EventType.AUTHORIZATION_CHANGED)[-1]
    assert (changed.data.to_status, changed.data.receipt_seen) == ("waiting_on_payer", True)
    queue.sim.act(queue.authorization_id, "payer", truth="approved")
    settled = await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    assert settled.data.payer.outcome == "approved"


async def test_a_stored_error_is_left_behind_by_the_next_n(make_queue):
    queue = make_queue("stores_errors")
    queue.sim.fault("answer", method="POST", path=CREATE, status=500, code="internal_error", count=1)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    keys = [key for name, key in queue.collate.calls if name == "create_handoff"]
    assert len(keys) == 4
    assert len(set(keys)) == 2


async def test_an_error_that_never_ends_is_a_dead_letter_when_the_commands_life_is_over(make_queue):
    queue = make_queue()
    queue.settings = replace(queue.settings, command_max_age_seconds=2.5 * 3600)
    queue.restart()
    queue.sim.fault("answer", method="POST", path=CREATE, status=500, code="internal_error")
    asked = queue.send(HandoffRequest())
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert letter.cause == "too_old"
    assert len(queue.effects_of(asked)) == 0
    assert len(letter.intents) == 8


async def test_an_outage_of_writes_alone_uses_up_nothing(make_queue):
    queue = make_queue()
    asking = {"code": "unavailable", "retryAfter": "1", "retryable": True}
    queue.sim.fault("answer", method="POST", path=CREATE, status=503, when="before", **asking)
    began = queue.now()
    asked = queue.send(HandoffRequest())
    while queue.now() < began + 600.0:
        queue.pass_until((await queue.invoke()).at)
    queue.sim.faults.clear()
    await queue.drain()
    assert (queue.check(asked).outcome, queue.check(asked).effect) == ("applied", "ours")


@pytest.mark.parametrize(("code", "status"), [("version_conflict", 409), ("locked", 423)])
async def test_retry_after_is_obeyed_where_a_refusal_asks_for_another_look(make_queue, code, status):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=status, code=code, retryAfter="30", count=1)
    asked = queue.send(HandoffRequest())
    answer = await queue.invoke()
    assert answer.reason is WaitReason.RETRY_AFTER
    assert 29.0 < answer.at - queue.now() < 34.0
    await queue.drain()
    assert queue.check(asked).effect == "ours"


async def test_what_may_be_under_way_under_a_key_is_not_overtaken_by_another_key(make_queue):
    queue = make_queue()
    queue.sim.fault("hang", method="POST", path=CREATE, when="before", count=1)
    asked = queue.send(HandoffRequest())
    queue.pass_until((await queue.invoke()).at)
    busy = {"status": 409, "code": "idempotency_request_in_progress", "retryable": True}
    queue.sim.fault("answer", method="POST", path=CREATE, when="before", **busy)
    for _ in range(8):
        queue.pass_until((await queue.invoke()).at)
    queue.sim.faults.clear()
    await queue.drain()
    assert queue.check(asked).effect == "ours"
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 1


async def test_not_found_that_may_pass_is_asked_again(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="GET", status=404, code="not_here_yet", retryable=True, count=3)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    assert queue.check(asked).effect == "ours"


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
async def test_a_refusal_that_stays_is_a_rejection(make_queue, code, status, outcome, reason):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=status, code=code)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    ended = queue.check(asked)
    assert (ended.outcome, ended.reason) == (outcome, reason)
    assert [name for name, _ in queue.collate.calls].count("create_handoff") <= 3


async def test_a_request_that_collate_cannot_read_is_a_dead_letter(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=400, code="bad_request")
    queue.send(HandoffRequest())
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert letter.cause == "request_refused"
    assert letter.intents[-1]["ended"] == "bad_request"


async def test_a_403_for_one_authorization_rejects_it_once_another_was_let_in(make_queue):
    queue = make_queue()
    other = make_queue()
    other.send(HandoffRequest())
    await other.drain()
    queue.sim.fault("answer", path=queue.authorization_id, status=403, code="forbidden")
    asked = queue.send(HandoffRequest())
    await queue.drain()
    assert queue.check(asked).reason == "forbidden"


async def test_a_key_conflict_of_collates_takes_the_next_key(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=409, code="idempotency_key_reused", count=1)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    assert queue.check(asked).effect == "ours"
    assert len({key for name, key in queue.collate.calls if name == "create_handoff"}) == 2


async def test_a_request_waits_while_the_last_handoff_is_closing_and_says_why(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 40.0})
    handoff = await opened(queue)
    queue.send(close(handoff))
    await queue.drain()
    asked = queue.send(HandoffRequest())
    await queue.drain()
    assert {wait.reason for wait in queue.waits} == {WaitReason.CLOSING}
    (waiting,) = queue.events(EventType.COMMAND_WAITING)
    assert (waiting.data.reason, waiting.data.command_id) == ("closing", asked)
    assert waiting.data.advice == WAITING[WaitReason.CLOSING]
    assert queue.check(asked).outcome == "rejected"


async def test_a_stale_read_is_never_decided_on(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 0.0})
    handoff = await opened(queue)
    queue.sim.change(stale_probability=0.7, stale_seconds=30.0)
    asked = queue.send(close(handoff))
    again = queue.send(HandoffRequest())
    await queue.drain()
    assert queue.check(asked).outcome == "applied"
    assert queue.check(again).outcome in {"rejected", "applied"}
    assert len(queue.events(EventType.HANDOFF_CLOSED)) <= 1


async def test_a_command_expires_before_anything_was_sent(make_queue):
    queue = make_queue()
    soon = datetime.fromtimestamp(queue.now() + 30, UTC)
    queue.sim.fault("hang", method="GET")
    asked = queue.send(HandoffRequest(expires_at=soon))
    await queue.drain()
    outcome = queue.check(asked)
    assert (outcome.outcome, outcome.reason, outcome.effect) == ("expired", "expired", "none")


async def test_expiry_no_longer_counts_once_something_may_have_been_sent(make_queue):
    queue = make_queue("v3")
    soon = datetime.fromtimestamp(queue.now() + 30, UTC)
    queue.sim.fault("reset", method="POST", when="after", count=1)
    asked = queue.send(HandoffRequest(expires_at=soon))
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.advance(60)
    await queue.drain()
    assert queue.check(asked).effect == "inferred"


async def test_the_default_expiry_of_a_request_is_an_hour_after_its_acceptance(make_queue):
    queue = make_queue()
    asked = queue.send(HandoffRequest(), accepted_at=queue.now() - 3601)
    await queue.drain()
    assert queue.check(asked).outcome == "expired"
    assert queue.collate.calls == []


async def test_a_close_of_any_age_gets_one_try(make_queue, close):
    queue = make_queue()
    handoff = await opened(queue)
    asked = queue.send(close(handoff), accepted_at=queue.now() - 3 * 86_400)
    await queue.drain()
    assert queue.check(asked).effect == "ours"


async def test_a_command_lives_a_day_then_it_is_a_dead_letter(make_queue, close):
    queue = make_queue(readings={"abandonment_seconds": None})
    handoff = await opened(queue)
    queue.settings = replace(queue.settings, command_max_age_seconds=300.0)
    queue.restart()
    queue.sim.fault("hang", method="GET")
    queue.send(close(handoff))
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert (letter.cause, letter.intents) == ("too_old", [])
    reasons = [event.data.reason for event in queue.events(EventType.COMMAND_WAITING)]
    assert reasons == ["backoff"]


@pytest.mark.parametrize("keys", ["v2", "v3"])
async def test_past_the_keys_retention_reading_decides(make_queue, close, keys):
    queue = make_queue(keys, readings={"abandonment_seconds": None})
    handoff = await opened(queue)
    queue.settings = replace(queue.settings, key_retention_seconds=60.0)
    queue.restart()
    queue.sim.fault("reset", method="POST", path=CLOSE, when="after", count=1)
    asked = queue.send(close(handoff))
    assert isinstance(await queue.invoke(), RetryAt)
    posts = [name for name, _ in queue.collate.calls].count("close_handoff")
    queue.sim.advance(120)
    await queue.drain()
    assert queue.check(asked).effect == "inferred"
    assert [name for name, _ in queue.collate.calls].count("close_handoff") == posts


async def test_a_doubled_effect_is_detected_and_alarmed(make_queue):
    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    assert len(queue.effects_of(asked)) == 2, "the simulated Collate must honour neither key nor If-Match here"
    assert queue.finished_of(asked).effect == "inferred"
    assert queue.metrics.commands.double_effects._value.get() == 1


async def test_without_a_look_at_what_a_resend_did_it_is_not_called_ours(make_queue):
    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = queue.send(HandoffRequest())
    queue.pass_until((await queue.invoke()).at)
    queue.sim.fault("answer", method="GET", status=500, code="internal_error", count=2)
    await queue.drain()
    assert queue.finished_of(asked).effect == "inferred"
    assert queue.metrics.commands.double_effects._value.get() == 1, "two looks failed, the third one saw it"

    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = queue.send(HandoffRequest())
    queue.pass_until((await queue.invoke()).at)
    queue.sim.fault("answer", method="GET", status=500, code="internal_error")
    await queue.drain()
    assert queue.finished_of(asked).effect == "inferred"


async def test_openings_of_which_no_answer_came_through_are_alarmed_as_well(make_queue):
    queue = make_queue("ignores_preconditions", "forgets_keys", readings={"create_while_active": "replace"})
    queue.sim.fault("answer", method="POST", path=CREATE, when="after", status=500, code="internal_error", count=3)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    assert len(queue.effects_of(asked)) == 3
    outcome = queue.finished_of(asked)
    assert (outcome.effect, outcome.reason) == ("inferred", "opening_not_identified")
    assert queue.metrics.commands.double_effects._value.get() == 1


async def test_where_if_match_is_not_honoured_nothing_is_called_ours(make_queue, close):
    queue = make_queue("ignores_preconditions")
    queue.settings = replace(queue.settings, if_match_is_honoured=False)
    queue.restart()
    asked = queue.send(HandoffRequest())
    await queue.drain()
    closed = queue.send(close(queue.check(asked).handoff_id))
    await queue.drain()
    assert {queue.check(asked).effect, queue.check(closed).effect} == {"inferred"}


async def test_payer_truth_that_contradicts_the_report(make_queue, close):
    queue = make_queue(truth="nothing")
    handoff = await opened(queue)
    queue.send(close(handoff))
    await queue.drain()
    reconciled = await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert (reconciled.data.reported, reconciled.data.agreement) == ("submitted", "contradicts")
    assert len(queue.events(EventType.AUTHORIZATION_ACTION_REQUIRED)) == 2


async def test_an_alarm_while_a_write_may_be_under_way_does_not_take_our_close_for_anothers(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 0.0})
    handoff = await opened(queue)
    queue.sim.fault("reset", method="POST", path=CLOSE, when="after", count=1)
    asked = queue.send(close(handoff))
    assert isinstance(await queue.invoke(), RetryAt)
    queue.restart()
    await queue.observe()
    assert queue.events(EventType.HANDOFF_CLOSED) == []
    await queue.drain()
    (closed,) = queue.events(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.causation_id) == ("us", asked)
