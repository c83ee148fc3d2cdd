"""What people do to dead letters, and records that are no commands."""

import uuid

import pytest

from consumers.authorization import recent_commands
from consumers.engine import RetryAt
from schemas.commands import AuthorizationWatch, Discard, HandoffRequest, Original, Redrive
from schemas.enums import CommandType, DecisionReason, EventType
from schemas.identity import request_id
from schemas.times import parse_time

CREATE = "/manual-handoffs$"


async def unknown_outcome(make_queue):
    """A queue with one dead letter: a create that may have come and gone (and did)."""
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    asked = queue.send(HandoffRequest())
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="somebody else")
    queue.sim.act(queue.authorization_id, "reconcile", truth="nothing")
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert letter.cause == "outcome_unknown"
    return queue, asked, letter


def redrive(queue, letter, number, **said):
    original = Original(type=CommandType(letter.command), caller=letter.caller, accepted_at=letter.accepted_at, data={})
    data = Redrive(
        command_id=letter.command_id,
        redrive=number,
        requested_by="op",
        **(said or {"reason": DecisionReason.CHECKED_BY_HAND, "ticket": "OPS-1"}),
        command=original,
        intent=letter.intents[-1] if letter.intents else None,
    )
    return queue.send(data, command_id=request_id("redrive", letter.command_id, number), redrive=number)


def told(decision):
    return decision.requested_by, decision.reason, decision.ticket


async def test_a_redrive_may_write_again_and_ends_once_under_the_commands_own_id(make_queue):
    queue, asked, letter = await unknown_outcome(make_queue)
    redrive(queue, letter, 1)
    redrive(queue, letter, 1)
    await queue.drain()
    outcome = queue.finished_of(asked, redrive=1)
    assert (outcome.outcome, outcome.effect) == ("applied", "ours")
    assert outcome.caller == "intake"
    assert told(outcome.decision) == ("op", "checked_by_hand", "OPS-1")
    assert len(queue.effects_of(asked)) == 2, "the lost one, and the one that a person asked for"
    assert queue.ended_dead_letters() == [(asked, 1, "applied")]


async def test_a_redrive_after_too_many_writes_may_write_again(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, status=409, code="version_conflict")
    asked = queue.send(HandoffRequest())
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert (letter.cause, len(letter.intents)) == ("too_many_writes", 8)
    queue.sim.faults.clear()
    redrive(queue, letter, 1)
    await queue.drain()
    assert queue.finished_of(asked, redrive=1).effect == "ours"


async def test_a_redrive_that_an_older_ingress_kept_ends_too(make_queue):
    queue, asked, letter = await unknown_outcome(make_queue)
    redrive(queue, letter, 1, why="looked at it")
    await queue.drain()
    outcome = queue.finished_of(asked, redrive=1)
    assert (outcome.outcome, told(outcome.decision)) == ("applied", ("op", None, None))


async def test_a_redrive_after_the_end_is_refused(make_queue):
    queue, asked, letter = await unknown_outcome(make_queue)
    redrive(queue, letter, 1)
    redrive(queue, letter, 2)
    await queue.drain()
    assert queue.finished_of(asked, redrive=1).outcome == "applied"
    refused = queue.finished_of(asked, redrive=2)
    assert (refused.outcome, refused.reason) == ("rejected", "not_dead_lettered")
    assert len(queue.effects_of(asked)) == 2


async def test_a_redrive_first_resends_what_may_have_arrived(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="POST", path=CREATE, when="after", status=400, code="bad_request", count=1)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert letter.cause == "request_refused"
    redrive(queue, letter, 1)
    await queue.drain()
    assert queue.finished_of(asked, redrive=1).outcome == "already_done"
    assert len(queue.effects_of(asked)) == 1


async def test_a_redrive_that_dies_again_can_be_redriven_again(make_queue):
    queue, asked, letter = await unknown_outcome(make_queue)
    queue.sim.fault("answer", method="POST", path=CREATE, status=400, code="bad_request")
    redrive(queue, letter, 1)
    await queue.drain()
    second = queue.dead_letters()[-1]
    assert (second.redrive, second.cause) == (1, "request_refused")
    queue.sim.faults.clear()
    redrive(queue, second, 2)
    await queue.drain()
    assert queue.finished_of(asked, redrive=2).outcome == "applied"
    assert queue.ended_dead_letters() == [(asked, 2, "applied")]
    assert len({intent["n"] for intent in second.intents}) == len(second.intents)


async def test_what_a_redrive_itself_left_unknown_is_not_sent_again_unasked(make_queue):
    queue, asked, letter = await unknown_outcome(make_queue)
    queue.sim.fault("reset", method="POST", path=CREATE, when="after", count=1)
    redrive(queue, letter, 1)
    assert isinstance(await queue.invoke(), RetryAt)
    queue.sim.act(queue.authorization_id, "revoke", reason="again")
    queue.sim.advance(5)
    await queue.drain()
    assert queue.dead_letters()[-1].cause == "outcome_unknown"
    assert queue.dead_letters()[-1].redrive == 1
    assert len(queue.effects_of(asked)) == 2


async def dead_for_longer_than_ids_are_remembered(make_queue):
    queue, asked, letter = await unknown_outcome(make_queue)
    queue.sim.advance(25 * 3600.0)
    queue.send(AuthorizationWatch())
    await queue.drain()
    state = queue.decoded_state()
    assert recent_commands.find(state.recent_commands, asked) is None
    assert asked in state.dead_letters
    return queue, asked, letter


async def test_another_body_under_a_dead_letters_id_is_a_conflict_for_as_long_as_it_waits(make_queue):
    queue, asked, _ = await dead_for_longer_than_ids_are_remembered(make_queue)
    queue.send(HandoffRequest(), command_id=asked)
    await queue.drain()
    assert not queue.events(EventType.COMMAND_KEY_CONFLICT), "the same body is the same command"
    queue.send(HandoffRequest(metadata={"another": "body"}), command_id=asked)
    await queue.drain()
    (conflict,) = queue.events(EventType.COMMAND_KEY_CONFLICT)
    assert conflict.data.command_id == asked
    assert asked in queue.decoded_state().dead_letters


async def test_a_dead_letter_of_an_older_memory_has_no_body_to_compare_with(make_queue):
    queue, asked, _ = await dead_for_longer_than_ids_are_remembered(make_queue)
    state = queue.decoded_state()
    dead = {key: one.replace(digest=None) for key, one in state.dead_letters.items()}
    queue.state = state.replace(dead_letters=dead).encode()
    queue.send(HandoffRequest(metadata={"another": "body"}), command_id=asked)
    await queue.drain()
    assert not queue.events(EventType.COMMAND_KEY_CONFLICT)


async def test_a_discard_ends_it(make_queue):
    queue, asked, letter = await unknown_outcome(make_queue)
    for _ in range(2):
        queue.send(
            Discard(command_id=asked, requested_by="op", reason=DecisionReason.NO_LONGER_WANTED),
            command_id=str(uuid.uuid4()),
        )
    redrive(queue, letter, 1)
    await queue.drain()
    outcome = queue.finished_of(asked)
    assert (outcome.outcome, outcome.reason, outcome.command) == ("discarded", "discarded", letter.command)
    assert told(outcome.decision) == ("op", "no_longer_wanted", None)
    assert queue.ended_dead_letters() == [(asked, 0, "discarded")]
    assert queue.finished_of(asked, redrive=1).reason == "not_dead_lettered"


async def test_a_discarded_command_that_comes_again_is_itself_and_another_body_is_a_conflict(make_queue):
    queue, asked, _ = await unknown_outcome(make_queue)
    discard = Discard(command_id=asked, requested_by="op", reason=DecisionReason.NO_LONGER_WANTED)
    queue.send(discard, command_id=str(uuid.uuid4()))
    queue.send(HandoffRequest(), command_id=asked)
    await queue.drain()
    assert not queue.events(EventType.COMMAND_KEY_CONFLICT)
    queue.send(HandoffRequest(metadata={"another": "body"}), command_id=asked)
    await queue.drain()
    (conflict,) = queue.events(EventType.COMMAND_KEY_CONFLICT)
    assert conflict.data.command_id == asked


async def test_dead_letters_hold_the_record_byte_for_byte(make_queue):
    queue, _, letter = await unknown_outcome(make_queue)
    headers, value = letter.record.bytes()
    assert (headers, value) == (queue.records[0].headers, queue.records[0].value)
    assert letter.accepted_at == parse_time(dict(headers)["ce_time"].decode())


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ((), b"hello"),
        ((("ce_specversion", b"1.0"), ("ce_id", b"\xff")), b""),
        ((("content-type", b"application/cloudevents+json"),), b"{"),
    ],
)
async def test_a_record_that_is_no_command_is_dead_lettered_and_the_lane_moves_on(make_queue, headers, value):
    queue = make_queue()
    queue.append(headers, value)
    asked = queue.send(HandoffRequest())
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert letter.cause == "invalid_record"
    (event,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert event.data.caller == "unknown"
    assert queue.check(asked).outcome == "applied"
    assert queue.dead_lettered == 1


@pytest.mark.parametrize("change", [("ce_type", b"collate-gateway.newer.v1"), ("ce_subject", b"auth_other"), "data"])
async def test_a_command_that_this_version_cannot_read_is_dead_lettered_once(make_queue, change):
    queue = make_queue()
    asked = queue.send(HandoffRequest())
    record = queue.records.pop()
    headers, value = dict(record.headers), record.value
    if change == "data":
        value = b'{"expiresAt": 5}'
    else:
        headers[change[0]] = change[1]
    for _ in range(2):
        queue.append(tuple(headers.items()), value)
    await queue.drain()
    (letter,) = queue.dead_letters()
    assert (letter.command_id, letter.caller) == (asked, "intake")
    (event,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert event.data.command_id == asked
