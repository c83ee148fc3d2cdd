"""A command whose key is missing is a dead letter with all its writes, and its redrive works once the key is back."""

import pytest

from gateway.ingress.dead_letters.actions import redrive_of
from local.phi_keys import new_keys
from schemas.api.dead_letters import DeadLetterDecision
from schemas.enums import DecisionReason, EventType
from tests.process.await_points import MOST_POINTS
from tests.process.key_queue import opened, redrive


def lose_keys(queue):
    """Restart the worker with other keys; return the right ones."""
    right, queue.keys = queue.keys, new_keys()
    queue.restart()
    return right


def give_back(queue, keys):
    queue.keys = keys
    queue.restart()


async def test_a_close_without_its_key_is_a_dead_letter_and_its_redrive_is_applied_once(make_queue, close):
    queue = make_queue()
    handoff = await opened(queue)
    command = queue.send(close(handoff, operator_notes="Ms Doe called."))
    right = lose_keys(queue)
    await queue.drain()
    (dead_letter,) = queue.dead_letters()
    (event,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert (dead_letter.command_id, dead_letter.cause, dead_letter.intents) == (command, "undecryptable", [])
    assert (event.data.cause, event.data.command, event.data.caller) == ("undecryptable", dead_letter.command, "intake")
    assert queue.dead_lettered == 1, "a deployment can be the cause, so it counts towards the share that stops"
    give_back(queue, right)
    redrive(queue, dead_letter, keys=right)
    await queue.drain()
    assert queue.finished_of(command, redrive=1).effect == "ours"
    assert len(queue.effects_of(command)) == 1
    assert queue.ended_dead_letters() == [(command, 1, "applied")]


async def test_a_write_that_may_have_arrived_is_in_the_dead_letter_and_is_not_repeated(make_queue, close):
    seen = set()
    for point in range(MOST_POINTS):
        queue = make_queue()
        handoff = await opened(queue)
        command = queue.send(close(handoff))
        queue.fuse.arm(point)
        right = []
        await queue.drain(lambda queue=queue, right=right: right.append(lose_keys(queue)))
        if not right:
            break
        for letter in queue.dead_letters():
            seen.add(len(letter.intents))
            give_back(queue, *right)
            redrive(queue, letter, None, *right)
            await queue.drain()
        assert len(queue.effects_of(command)) == 1
    assert seen == {0, 1}


async def test_a_redrive_without_its_key_is_the_next_dead_letter_and_keeps_the_writes(make_queue, request_):
    queue = make_queue("forgets_keys")
    queue.sim.fault("answer", method="POST", path="/manual-handoffs$", status=409, code="version_conflict")
    command = await queue.apply(request_())
    (first,) = queue.dead_letters()
    queue.sim.faults.clear()
    right = lose_keys(queue)
    redrive(queue, first, keys=right)
    redrive(queue, first, keys=right)  # a repeat is no second dead letter
    await queue.drain()
    (_, second) = queue.dead_letters()
    assert (second.command_id, second.redrive, second.cause) == (command, 1, "undecryptable")
    assert (second.command, second.caller, second.accepted_at) == (first.command, first.caller, first.accepted_at)
    give_back(queue, right)
    decision = DeadLetterDecision(reason=DecisionReason.FIX_DEPLOYED, redrive=1)
    assert redrive_of(command, second, decision, "op", right).intent == first.intents[-1]
    redrive(queue, second, keys=right)
    await queue.drain()
    assert queue.finished_of(command, redrive=2).effect == "ours"
    assert len(queue.effects_of(command)) == 1


@pytest.mark.parametrize("is_redrive", [False, True])
async def test_a_repeat_of_an_ended_command_without_its_key_changes_nothing(make_queue, close, is_redrive):
    queue = make_queue()
    handoff = await opened(queue)
    command = queue.send(close(handoff))
    if is_redrive:
        right = lose_keys(queue)
        await queue.drain()
        (letter,) = queue.dead_letters()
        give_back(queue, right)
        redrive(queue, letter, keys=right)
        await queue.drain()
        before = len(queue.outputs)
        lose_keys(queue)
        redrive(queue, letter, keys=right)
    else:
        await queue.drain()
        before = len(queue.outputs)
        queue.send(close(handoff), command)
        lose_keys(queue)
    await queue.drain()
    assert len(queue.outputs) == before
    assert queue.state is not None
