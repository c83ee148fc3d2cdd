"""The share of each caller of an authorization's remembered ids."""

from collections import Counter

import pytest

from consumers.authorization.recent_callers import MOST_ACCEPTED, SHARE
from schemas.commands import EmptyRecentCommands
from schemas.enums import DecisionReason, EventType
from tests.process.key_queue import opened

WATCHES = 1_120


async def watch_often(queue, watch, times=WATCHES, caller="reporting"):
    commands = [queue.send(watch(), caller=caller) for _ in range(times)]
    await queue.drain_all()
    return commands


async def test_watches_of_one_caller_do_not_reject_the_close_of_another(make_queue, close, watch):
    queue = make_queue()
    handoff = await opened(queue)
    await watch_often(queue, watch)
    command = queue.send(close(handoff), caller="portal")
    await queue.drain()
    assert (queue.finished_of(command).outcome, queue.finished_of(command).reason) == ("applied", None)


async def test_no_command_of_a_full_caller_ends_twice(make_queue, watch):
    queue = make_queue()
    first = await watch_often(queue, watch, SHARE + 40)
    for command in first:
        queue.send(watch(), command_id=command, caller="reporting")
    await queue.drain_all()
    queue.advance(25 * 3600.0)
    for command in first[MOST_ACCEPTED:]:
        queue.send(watch(), command_id=command, caller="reporting")
    await queue.drain_all()
    ended = Counter(event.data.command_id for event in queue.events(EventType.COMMAND_FINISHED))
    within_a_day = [ended[command] for command in first[:MOST_ACCEPTED]]
    assert set(within_a_day) == {1}
    assert [ended[command] for command in first[SHARE:]] == [1] * 40, "postponed, then applied once"


async def test_a_full_caller_is_rejected_then_postponed_with_advice(make_queue, watch):
    queue = make_queue()
    await watch_often(queue, watch, SHARE + 1)
    reasons = Counter(event.data.reason for event in queue.events(EventType.COMMAND_FINISHED))
    assert reasons == {None: MOST_ACCEPTED, "too_many_commands": SHARE - MOST_ACCEPTED}
    (waiting,) = queue.events(EventType.COMMAND_WAITING)
    assert (waiting.data.reason, waiting.data.caller) == ("too_many_commands", "reporting")
    assert "Send it again" in waiting.data.advice
    exceeded = queue.metrics.commands.caller_share_exceeded
    assert exceeded._value.get() == SHARE + 1 - MOST_ACCEPTED


def empty(of_caller=None):
    return EmptyRecentCommands(
        of_caller=of_caller, requested_by="op-7", reason=DecisionReason.FIX_DEPLOYED, ticket="OPS-1", why="free text"
    )


@pytest.mark.parametrize("of_caller", ["reporting", None])
async def test_an_operator_empties_the_list_and_the_caller_has_room_again(make_queue, watch, of_caller):
    queue = make_queue()
    other = queue.send(watch(), caller="intake")
    await watch_often(queue, watch, SHARE)
    decision = queue.send(empty(of_caller), caller="support")
    queue.send(empty(of_caller), command_id=decision, caller="support")
    again = queue.send(watch(), caller="intake", command_id=other)
    after = queue.send(watch(), caller="reporting")
    await queue.drain_all()
    assert queue.finished_of(after).outcome == "applied"
    (emptied,) = queue.events(EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED)
    data = emptied.data
    assert (data.caller, data.of_caller, data.emptied) == ("support", of_caller, SHARE if of_caller else SHARE + 1)
    assert (data.decision.requested_by, data.decision.reason, data.decision.ticket) == ("op-7", "fix_deployed", "OPS-1")
    ended = [one for one in queue.events(EventType.COMMAND_FINISHED) if one.data.command_id == again]
    assert len(ended) == (1 if of_caller else 2), "the documented risk: a forgotten command is a new one"
    assert not any(b"free text" in output.value for output in queue.outputs if output.value)
