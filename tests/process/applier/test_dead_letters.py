"""Redrives and discards of dead letters, and records that are no commands."""

import uuid

import pytest

from consumers.authorization import recent_commands
from consumers.engine import RetryAt
from schemas.commands import AuthorizationWatch, Discard, HandoffRequest
from schemas.enums import DecisionReason, EventType
from schemas.identity import dead_letter_id
from schemas.times import parse_time
from tests.process.key_queue import redrive

CREATE = "/manual-handoffs$"


async def dead_lettered_create(make_queue):
    """A queue with one dead letter: a create that may have opened and ended a handoff, and did."""
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="another actor")
    queue.sim.act(queue.authorization_id, "reconcile", truth="nothing")
    await queue.drain()
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.cause == "outcome_unknown"
    return queue, command, dead_letter


async def lose_the_answer(queue, dead_letter):
    """Redrive it; the create opens a handoff, which has ended when the worker looks."""
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    redrive(queue, dead_letter, 1)
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="again")
    queue.sim.advance(5)


def discard(queue, command, number=None):
    data = Discard(command_id=command, redrive=number, requested_by="op", reason=DecisionReason.NO_LONGER_WANTED)
    return queue.send(data, command_id=str(uuid.uuid4()), caller="on-call")


def shown(decision):
    return decision.requested_by, decision.caller, decision.reason, decision.ticket


async def test_a_redrive_can_write_again_and_finishes_once_under_the_command_id(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    redrive(queue, dead_letter, 1)
    redrive(queue, dead_letter, 1)
    await queue.drain()
    outcome = queue.finished_of(command, redrive=1)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    assert outcome.caller == "intake"
    assert shown(outcome.decision) == ("op", "on-call", "checked_by_hand", "OPS-1")
    assert len(queue.effects_of(command)) == 2, "the lost write, and the write of the redrive"
    assert queue.ended_dead_letters() == [(command, 1, "applied")]


async def test_a_redrive_after_too_many_writes_can_write_again(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=409, code="version_conflict")
    command = await queue.apply(HandoffRequest())
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.cause, len(dead_letter.intents)) == ("too_many_writes", 8)
    assert [name for name, _ in queue.collate.calls].count("create_handoff") == 8
    queue.sim.faults.clear()
    redrive(queue, dead_letter, 1)
    await queue.drain()
    assert queue.finished_of(command, redrive=1).effect == "ours"


async def test_a_redrive_after_the_end_is_rejected(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    redrive(queue, dead_letter, 1)
    redrive(queue, dead_letter, 2)
    await queue.drain()
    assert queue.finished_of(command, redrive=1).outcome == "applied"
    refused = queue.finished_of(command, redrive=2)
    assert (refused.outcome, refused.reason) == ("rejected", "not_dead_lettered")
    assert len(queue.effects_of(command)) == 2


async def test_a_redrive_first_resends_a_write_that_may_have_arrived(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, when="after", status=400, code="bad_request", count=1)
    command = await queue.apply(HandoffRequest())
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.cause == "request_refused"
    redrive(queue, dead_letter, 1)
    await queue.drain()
    assert queue.finished_of(command, redrive=1).outcome == "already_done"
    assert len(queue.effects_of(command)) == 1


async def test_a_redrive_recognises_the_effect_of_the_write_before_it(make_queue):
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    command = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.fault("rewrite", method="GET", path=f"/{queue.authorization_id}$", overlay={"activeManualHandoff": None})
    await queue.drain()
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.cause == "outcome_unknown"
    queue.sim.faults.clear()
    redrive(queue, dead_letter, 1)
    await queue.drain()
    outcome = queue.finished_of(command, redrive=1)
    assert (outcome.outcome, outcome.effect) == ("applied", "inferred")
    assert outcome.handoff_id is not None
    assert len(queue.effects_of(command)) == 1


async def test_a_redrive_that_gives_up_the_write_before_it_does_not_call_it_without_effect(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    queue.sim.act(queue.authorization_id, "cancel")
    redrive(queue, dead_letter, 1)
    await queue.drain()
    outcome = queue.finished_of(command, redrive=1)
    assert (outcome.outcome, outcome.effect) == ("rejected", "unknown")
    assert len(queue.effects_of(command)) == 1


async def test_a_redrive_that_is_dead_lettered_can_be_redriven(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    queue.sim.fault("answer", method="POST", path=CREATE, status=400, code="bad_request")
    redrive(queue, dead_letter, 1)
    await queue.drain()
    second = queue.dead_letters()[-1]
    assert (second.redrive, second.cause) == (1, "request_refused")
    queue.sim.faults.clear()
    redrive(queue, second, 2)
    await queue.drain()
    assert queue.finished_of(command, redrive=2).outcome == "applied"
    assert queue.ended_dead_letters() == [(command, 2, "applied")]
    assert len({intent["n"] for intent in second.intents}) == len(second.intents)


async def test_an_unknown_outcome_of_a_redrive_is_not_written_again_without_another_redrive(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    await lose_the_answer(queue, dead_letter)
    await queue.drain()
    assert queue.dead_letters()[-1].cause == "outcome_unknown"
    assert queue.dead_letters()[-1].redrive == 1
    assert len(queue.effects_of(command)) == 2


async def dead_lettered_for_two_days(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    queue.sim.advance(25 * 3600.0)
    await queue.apply(AuthorizationWatch())
    state = queue.decoded_state()
    assert recent_commands.find(state.recent_commands, command) is None
    assert command in state.dead_letters
    return queue, command, dead_letter


async def test_another_body_under_a_dead_letters_id_is_a_key_conflict_until_its_decision(make_queue):
    queue, command, _ = await dead_lettered_for_two_days(make_queue)
    await queue.apply(HandoffRequest(), command_id=command)
    assert not queue.events(EventType.COMMAND_KEY_CONFLICT), "the same body is the same command"
    await queue.apply(HandoffRequest(metadata={"another": "body"}), command_id=command)
    (conflict,) = queue.events(EventType.COMMAND_KEY_CONFLICT)
    assert conflict.data.command_id == command
    assert command in queue.decoded_state().dead_letters


async def test_a_dead_letter_of_an_older_state_has_no_digest_to_compare(make_queue):
    queue, command, _ = await dead_lettered_for_two_days(make_queue)
    state = queue.decoded_state()
    dead = {key: one.replace(digest=None) for key, one in state.dead_letters.items()}
    queue.state = state.replace(dead_letters=dead).encode()
    await queue.apply(HandoffRequest(metadata={"another": "body"}), command_id=command)
    assert not queue.events(EventType.COMMAND_KEY_CONFLICT)


async def test_a_discard_ends_the_dead_letter(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    for _ in range(2):
        discard(queue, command)  # a record of before has no number
    redrive(queue, dead_letter, 1)
    await queue.drain()
    outcome = queue.finished_of(command)
    assert (outcome.outcome, outcome.reason, outcome.command) == ("discarded", "discarded", dead_letter.command)
    assert shown(outcome.decision) == ("op", "on-call", "no_longer_wanted", None)
    assert queue.ended_dead_letters() == [(command, 0, "discarded")]
    assert [one.kind for _, one in queue.sim.ledger.effects].count("handoff_opened") == 1, "it sends no second write"
    assert queue.finished_of(command, redrive=1).reason == "not_dead_lettered"


async def test_a_decision_ends_only_the_number_that_its_operator_saw(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    await lose_the_answer(queue, dead_letter)
    discard(queue, command, 0)
    redrive(queue, dead_letter, 1)
    await queue.drain()
    assert (queue.dead_letters()[-1].redrive, queue.dead_letters()[-1].cause) == (1, "outcome_unknown")
    assert not queue.events(EventType.COMMAND_FINISHED), "nobody has seen number 1"
    assert queue.metrics.commands.discards_ignored._value.get() == 1
    discard(queue, command, 1)
    await queue.drain()
    ended = queue.finished_of(command, redrive=1)
    assert (ended.outcome, ended.effect) == ("discarded", "unknown")
    assert queue.ended_dead_letters() == [(command, 1, "discarded")]


async def test_every_end_of_a_command_has_the_digest_of_the_body_that_its_caller_sent(make_queue):
    queue, command, dead_letter = await dead_lettered_create(make_queue)
    redrive(queue, dead_letter, 1)
    queue.sim.fault("answer", method="POST", path=CREATE, status=400, code="bad_request")
    discard(queue, command, 1)
    ended = [queue.send(HandoffRequest()), command]
    await queue.drain()
    digests = {event.data.command_id: event.data.digest for event in queue.events(EventType.COMMAND_DEAD_LETTERED)}
    digests |= {event.data.command_id: event.data.digest for event in queue.events(EventType.COMMAND_FINISHED)}
    assert digests.keys() == {*ended}
    assert {*digests.values()} == {*queue.keys.digests(HandoffRequest().identity())}


async def test_a_duplicate_of_a_discarded_command_is_ignored_and_another_body_is_a_key_conflict(make_queue):
    queue, command, _ = await dead_lettered_create(make_queue)
    discard(queue, command)
    await queue.apply(HandoffRequest(), command_id=command)
    assert not queue.events(EventType.COMMAND_KEY_CONFLICT)
    await queue.apply(HandoffRequest(metadata={"another": "body"}), command_id=command)
    (conflict,) = queue.events(EventType.COMMAND_KEY_CONFLICT)
    assert conflict.data.command_id == command


async def test_a_dead_letter_contains_its_record_byte_for_byte(make_queue):
    queue, _, dead_letter = await dead_lettered_create(make_queue)
    headers, value = dead_letter.record.bytes()
    assert (headers, value) == (queue.records[0].headers, queue.records[0].value)
    assert dead_letter.accepted_at == parse_time(dict(headers)["ce_time"].decode())


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ((), b"hello"),
        ((("ce_specversion", b"1.0"), ("ce_id", b"\xff")), b""),
        ((("content-type", b"application/cloudevents+json"),), b"{"),
    ],
)
async def test_a_record_that_is_no_command_is_dead_lettered_and_the_key_queue_continues(make_queue, headers, value):
    queue = make_queue()
    queue.append(headers, value)
    command = await queue.apply(HandoffRequest())
    (dead_letter,) = queue.dead_letters()
    assert dead_letter.cause == "invalid_record"
    (event,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert event.data.caller == "unknown"
    record = queue.records[0]
    named = dead_letter_id(f"{record.partition}-{record.offset}", 0)
    assert event.data.command_id == dead_letter.command_id == named, "every version of the worker names it so"
    assert queue.check(command).outcome == "applied"
    assert queue.dead_lettered == 1


@pytest.mark.parametrize("change", [("ce_type", b"collate-gateway.newer.v1"), ("ce_subject", b"auth_other"), "data"])
async def test_a_command_that_this_version_cannot_read_is_dead_lettered_once(make_queue, change):
    queue = make_queue()
    command = queue.send(HandoffRequest())
    record = queue.records.pop()
    headers, value = dict(record.headers), record.value
    if change == "data":
        value = b'{"expiresAt": 5}'
    else:
        headers[change[0]] = change[1]
    for _ in range(2):
        queue.append(tuple(headers.items()), value)
    await queue.drain()
    (dead_letter,) = queue.dead_letters()
    assert (dead_letter.command_id, dead_letter.caller) == (command, "intake")
    (event,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert event.data.command_id == command


async def test_a_rogue_record_whose_key_is_no_id_is_a_dead_letter_and_breaks_no_promise(make_queue):
    """`make_queue` judges the events at the end: the check names no violation of ours, and shows no key."""
    for key in ("Jane Doe", "x" * 300):
        queue = make_queue(authorization_id=key)
        queue.append((("ce_id", b"junk"),), b"not json")
        await queue.drain()
        (dead,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
        assert dead.data.cause == "invalid_record"
