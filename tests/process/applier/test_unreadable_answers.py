"""Answers of Collate with a field that cannot be read: the command waits, names the field, and writes nothing."""

import pytest

from consumers.engine import RetryAt
from schemas.commands import AuthorizationWatch, HandoffRequest
from schemas.enums import EventType
from schemas.events.wait_reasons import WaitReason
from schemas.records import read_event
from tests.process.key_queue import opened

WRONG = [
    ({"version": "three"}, "version"),
    ({"nextAction": {"covers": []}}, "nextAction.covers"),
    ({"nextAction": {"covers": {"reviewSnapshotId": ""}}}, "nextAction.covers.reviewSnapshotId"),
]


def waiting_of(queue):
    """Return the payloads of all command.waiting events."""
    events = [read_event(output.headers, output.value) for output in queue.outputs if output.topic == "t.events"]
    return [event.data for event in events if event.data.TYPE == EventType.COMMAND_WAITING]


async def wait_a_while(queue, *, within=40):
    """Invoke at each retry for a minute of simulated time; return the reasons."""
    reasons = []
    for _ in range(within):
        result = await queue.invoke()
        assert isinstance(result, RetryAt)
        reasons.append(result.reason)
        queue.sim.advance(max(0.0, result.at - queue.sim.now()))
    return set(reasons)


@pytest.mark.parametrize("payload", [HandoffRequest(), AuthorizationWatch()])
@pytest.mark.parametrize(("overlay", "field"), WRONG)
async def test_a_command_waits_and_names_the_field(make_queue, payload, overlay, field):
    queue = make_queue()
    queue.sim.fault("rewrite", id="wrong", method="GET", overlay=overlay)
    command = queue.send(payload)
    assert await wait_a_while(queue) == {WaitReason.UNREADABLE_ANSWER}
    waiting = waiting_of(queue)[0]
    assert (waiting.reason, waiting.unreadable_fields) == ("unreadable_answer", [field])
    assert field in waiting.advice
    assert [effect.kind for _, effect in queue.sim.ledger.effects] == ["authorization_created"]
    queue.sim.faults.remove("wrong")
    await queue.drain()
    assert queue.check(command).outcome == "applied"


@pytest.mark.parametrize("pointer", [{"session": "s-1"}, {"id": ""}, 7, True])
async def test_no_second_handoff_is_opened_beside_one_of_unknown_id(make_queue, pointer):
    queue = make_queue()
    queue.sim.fault("rewrite", id="no id", method="GET", overlay={"activeManualHandoff": pointer})
    command = queue.send(HandoffRequest())
    assert await wait_a_while(queue) == {WaitReason.UNREADABLE_ANSWER}
    assert waiting_of(queue)[0].unreadable_fields == ["activeManualHandoff.id"]
    assert [effect.kind for _, effect in queue.sim.ledger.effects] == ["authorization_created"]
    queue.sim.faults.remove("no id")
    await queue.drain()
    assert queue.check(command).effect == "ours"


async def test_a_known_handoff_stays_open_while_its_pointer_has_no_id(make_queue, close):
    queue = make_queue()
    handoff_id = await opened(queue)
    queue.sim.fault("rewrite", method="GET", path="prior-authorizations/[^/]+$", overlay={"activeManualHandoff": {}})
    again = await queue.apply(HandoffRequest())
    assert (queue.check(again).outcome, queue.check(again).handoff_id) == ("already_done", handoff_id)
    closed = await queue.apply(close(handoff_id))
    assert queue.check(closed).effect == "ours"
