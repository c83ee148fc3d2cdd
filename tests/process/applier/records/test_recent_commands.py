"""The share of each caller of an authorization's remembered ids."""

from collections import Counter, defaultdict

import pytest

from consumers.authorization import recent_callers
from schemas.commands import EmptyRecentCommands
from schemas.enums import DecisionReason, EventType
from tests.measured import value_of
from tests.process.key_queue import opened

# An eighth of the true bounds, because each command takes 15 ms. `tests/system/gateway/test_recent_commands.py` has the
# true ones.
MOST_ACCEPTED, MOST_REJECTED, MOST = 24, 8, 128
WATCHES = 140
KEPT = MOST_ACCEPTED + MOST_REJECTED


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch):
    bounds = {"SHARE": KEPT, "MOST_ACCEPTED": MOST_ACCEPTED, "MOST_REJECTED": MOST_REJECTED, "MOST": MOST}
    for name, bound in bounds.items():
        monkeypatch.setattr(recent_callers, name, bound)


async def watch_often(queue, watch, times=WATCHES, caller="reporting"):
    commands = [queue.send(watch(), caller=caller) for _ in range(times)]
    await queue.drain_all()
    return commands


async def test_watches_of_one_caller_do_not_reject_the_close_of_another(make_queue, close, watch):
    queue = make_queue()
    handoff = await opened(queue)
    await watch_often(queue, watch)
    command = await queue.apply(close(handoff), caller="portal")
    assert (queue.finished_of(command).outcome, queue.finished_of(command).reason) == ("applied", None)


def ends(queue):
    """The reasons with which each command ended; None for an applied one."""
    found = defaultdict(list)
    for event in queue.events(EventType.COMMAND_FINISHED):
        found[event.data.command_id].append(event.data.reason)
    return found


async def test_every_command_of_a_full_caller_ends(make_queue, watch):
    queue = make_queue()
    times = MOST_ACCEPTED + 3 * MOST_REJECTED
    commands = await watch_often(queue, watch, times)
    ended = ends(queue)
    assert [ended[command] for command in commands] == (
        [[None]] * MOST_ACCEPTED + [["too_many_commands"]] * (times - MOST_ACCEPTED)
    )
    assert queue.events(EventType.COMMAND_WAITING) == []
    assert queue.finished_of(commands[-1]).advice.endswith("let an operator help.")
    assert value_of(queue.metrics.commands.caller_share_exceeded) == times - MOST_ACCEPTED


async def test_a_command_of_a_full_caller_ends_once(make_queue, watch):
    queue = make_queue()
    first = await watch_often(queue, watch, MOST_ACCEPTED + MOST_REJECTED)
    for command in first:
        queue.send(watch(), command_id=command, caller="reporting")
    await queue.drain_all()
    assert Counter(len(ends(queue)[command]) for command in first) == {1: len(first)}


async def test_a_rejected_command_is_never_applied_within_a_day(make_queue, watch):
    """Above its share the ids of a caller are not all stored. A repeat of such an id gets the same end again."""
    queue = make_queue()
    first = await watch_often(queue, watch, MOST_ACCEPTED)
    queue.advance(23.5 * 3600.0)
    flood = await watch_often(queue, watch, 2 * MOST_REJECTED)
    queue.advance(3600.0)  # the applied ones are forgotten
    for command in flood:
        queue.send(watch(), command_id=command, caller="reporting")
    await queue.drain_all()
    assert [set(ends(queue)[command]) for command in flood] == [{"too_many_commands"}] * len(flood)
    queue.advance(24 * 3600.0 + 61)
    (after,) = await watch_often(queue, watch, 1)
    assert ends(queue)[after] == [None], "the caller has its share again after a day"
    assert {len(ends(queue)[command]) for command in first} == {1}


async def test_a_caller_that_sends_less_has_its_share_again_after_a_day(make_queue, watch):
    queue = make_queue()
    await watch_often(queue, watch, MOST_ACCEPTED + 2 * MOST_REJECTED)
    for _ in range(7):
        queue.advance(3 * 3600.0)
        (command,) = await watch_often(queue, watch, 1)
        assert ends(queue)[command] == ["too_many_commands"]
    queue.advance(3 * 3600.0 + 61)
    (command,) = await watch_often(queue, watch, 1)
    assert ends(queue)[command] == [None]


async def test_a_refused_command_does_not_move_the_next_observation(make_queue, watch):
    queue = make_queue()
    await watch_often(queue, watch, MOST_ACCEPTED)
    before = queue.timer_at
    queue.advance(1.0)
    await watch_often(queue, watch, KEPT)
    assert queue.timer_at == before > queue.now()


def empty(of_caller=None):
    return EmptyRecentCommands(
        of_caller=of_caller, requested_by="op-7", reason=DecisionReason.FIX_DEPLOYED, ticket="OPS-1", why="free text"
    )


@pytest.mark.parametrize("of_caller", ["reporting", None])
async def test_an_operator_empties_the_list_and_the_caller_has_room_again(make_queue, watch, of_caller):
    queue = make_queue()
    other = queue.send(watch(), caller="intake")
    await watch_often(queue, watch, KEPT + 1)
    decision = queue.send(empty(of_caller), caller="support")
    queue.send(empty(of_caller), command_id=decision, caller="support")
    again = queue.send(watch(), caller="intake", command_id=other)
    after = queue.send(watch(), caller="reporting")
    await queue.drain_all()
    assert queue.finished_of(after).outcome == "applied"
    (emptied,) = queue.events(EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED)
    data = emptied.data
    assert (data.caller, data.of_caller, data.emptied) == ("support", of_caller, KEPT if of_caller else KEPT + 1)
    assert (data.decision.requested_by, data.decision.reason, data.decision.ticket) == ("op-7", "fix_deployed", "OPS-1")
    ended = [one for one in queue.events(EventType.COMMAND_FINISHED) if one.data.command_id == again]
    assert len(ended) == (1 if of_caller else 2), "the documented risk: a forgotten command is a new one"
    assert not any(b"free text" in output.value for output in queue.outputs if output.value)


async def test_a_duplicate_that_is_handled_days_after_its_original_ends_nothing_again(make_queue, request_, watch):
    """The partition is stopped for three days between the outcome and the duplicate, which was accepted in time."""
    queue = make_queue()
    command = await queue.apply(request_())
    accepted_at = queue.now() + 60.0
    queue.advance(3 * 24 * 3600.0)
    queue.send(watch(), accepted_at=accepted_at)
    queue.send(request_(), command_id=command, accepted_at=accepted_at)
    await queue.drain_all()
    assert queue.finished_of(command).outcome == "applied"
    assert len(queue.effects_of(command)) == 1


async def test_a_share_counts_the_day_before_the_record_and_not_before_the_clock(make_queue, watch):
    """Else a caller that a late worker has not rejected would lose its oldest id, although that can be repeated."""
    queue = make_queue()
    before = await watch_often(queue, watch, MOST_ACCEPTED)
    accepted_at = queue.now() + 60.0
    queue.advance(3 * 24 * 3600.0)
    after = [queue.send(watch(), caller="reporting", accepted_at=accepted_at) for _ in range(MOST_REJECTED)]
    for command in before:
        queue.send(watch(), caller="reporting", accepted_at=accepted_at, command_id=command)
    await queue.drain_all()
    ended = Counter(event.data.command_id for event in queue.events(EventType.COMMAND_FINISHED))
    assert {ended[command] for command in before} == {1}
    assert {ended[command] for command in after} == {1}, "rejected"
