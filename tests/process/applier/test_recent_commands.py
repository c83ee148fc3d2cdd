"""The share of each caller of an authorization's remembered ids."""

from collections import Counter

from consumers.authorization.recent_callers import MOST_ACCEPTED, SHARE
from schemas.enums import EventType
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
