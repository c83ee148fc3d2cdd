"""Writes whose response was lost, or which did not arrive: at most one effect, and `ours` only where it is proven."""

import pytest

from consumers.engine import RetryAt
from schemas.commands import HandoffRequest
from schemas.enums import EventType
from tests.process.key_queue import PROFILES, contract, opened

CREATE = "/manual-handoffs$"
CLOSE = "/complete$"
HONOURS_NO_KEY = {"v3", "forgets_keys"}
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


async def write_of(queue, close, operation):
    """Return the command of an operation, and the path of its write."""
    return (close(await opened(queue)), CLOSE) if operation == "close" else (HandoffRequest(), CREATE)


@pytest.mark.parametrize("operation", ["create", "close"])
@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("fault", LOST_ANSWERS, ids=str)
async def test_a_write_with_a_lost_response_has_one_effect(make_queue, hasty, close, *, profile, fault, operation):
    queue = make_queue(profile)
    data, path = await write_of(queue, close, operation)
    queue.sim.fault(method="POST", path=path, count=1, **fault)
    command = await queue.apply(data)
    outcome = queue.check(command)
    assert outcome.outcome == "applied"
    assert len(queue.effects_of(command)) == 1
    assert outcome.effect == ("inferred" if profile in HONOURS_NO_KEY else "ours")
    assert len(queue.events(EventType.HANDOFF_OPENED)) == 1
    if operation == "close":
        closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
        assert (closed.data.by, closed.data.reported, closed.causation_id) == ("us", "submitted", command)


@pytest.mark.parametrize("operation", ["create", "close"])
@pytest.mark.parametrize("fault", [*LOST_ANSWERS[:2], None], ids=lambda fault: str(fault or "arrives late"))
@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("profile", ["v2", "v3"])
async def test_a_lost_response_under_every_reading_has_one_effect(
    make_queue, close, apply_late, *, profile, reading, fault, operation
):
    queue = make_queue(profile, readings=reading)
    queue.contract = contract(if_match_on_close=reading.get("if_match_on_close", "authorization"))
    queue.restart()
    data, path = await write_of(queue, close, operation)
    if fault is None:
        command = await apply_late(queue, data, path=path)
    else:
        queue.sim.fault(method="POST", path=path, count=1, **fault)
        command = await queue.apply(data)
    outcome = queue.check(command)
    assert outcome.outcome == "applied"
    assert len(queue.effects_of(command)) == 1
    if reading == {"key_in_flight": "conflict"} and profile == "v2" and fault is None:
        assert 409 in [call.status for call in queue.sim.ledger.calls], "the resend met the first attempt"
    # If Collate checks If-Match before the key, it replays nothing, so nothing proves that the effect is ours.
    if profile == "v2" and fault is not None:
        assert outcome.effect == ("inferred" if reading.get("check_order") == "if_match_first" else "ours")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("fault", NEVER_APPLIED, ids=str)
async def test_a_create_that_did_not_arrive_is_resent(make_queue, hasty, profile, fault):
    queue = make_queue(profile)
    queue.sim.fault(method="POST", path=CREATE, count=1, **fault)
    command = await queue.apply(HandoffRequest())
    outcome = queue.check(command)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")


@pytest.mark.parametrize("operation", ["create", "close"])
@pytest.mark.parametrize("profile", ["v2", "v3", "forgets_keys"])
async def test_a_write_that_is_applied_after_our_timeout_has_one_effect(
    make_queue, close, apply_late, profile, operation
):
    queue = make_queue(profile)
    data, path = await write_of(queue, close, operation)
    command = await apply_late(queue, data, path=path)
    assert queue.check(command).outcome == "applied"


async def test_a_create_that_may_have_opened_and_ended_is_dead_lettered_and_never_resent(make_queue):
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="another actor")
    queue.sim.advance(5)
    await queue.drain()
    assert queue.check(command) is None
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.cause == "outcome_unknown"
    assert dead_letter.intents[-1]["maybe"]["version"] == 3
    assert queue.dead_lettered == 1
    (event,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert event.data.cause == "outcome_unknown"
    assert queue.events(EventType.COMMAND_FINISHED) == []
    posts = [name for name, _ in queue.collate.calls].count("create_handoff")
    await queue.apply(HandoffRequest(), command_id=command)
    assert [name for name, _ in queue.collate.calls].count("create_handoff") == posts


async def test_the_authorization_of_a_dead_letter_is_watched(make_queue):
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="another actor")
    queue.sim.advance(5)
    queue.sim.act(queue.authorization_id, "payer", truth="received")
    await queue.drain()
    assert [dead_letter.cause for dead_letter in queue.dead_letters()] == ["outcome_unknown"]
    changed = queue.events(EventType.AUTHORIZATION_CHANGED)[-1]
    assert (changed.data.to_status, changed.data.receipt_seen) == ("waiting_on_payer", True)
    queue.sim.act(queue.authorization_id, "payer", truth="approved")
    settled = await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    assert settled.data.payer.outcome == "approved"


async def test_a_timer_during_a_write_in_flight_does_not_attribute_our_close_to_another(make_queue, close):
    queue = make_queue(readings={"closing_seconds": 0.0})
    handoff = await opened(queue)
    queue.sim.fault("reset", method="POST", path=CLOSE, when="after", count=1)
    command = queue.send(close(handoff))
    assert isinstance(await queue.invoke(), RetryAt)
    queue.restart()
    await queue.observe()
    assert queue.events(EventType.HANDOFF_CLOSED) == []
    await queue.drain()
    (closed,) = queue.events(EventType.HANDOFF_CLOSED)
    assert (closed.data.by, closed.causation_id) == ("us", command)
