"""`correlationid` is the first command of a flow, also after a redrive; `causationid` that which caused the event."""

from datetime import UTC, datetime

from schemas.commands import Discard, HandoffRequest, RecordAccess
from schemas.enums import DecisionReason, EventType
from tests.process.key_queue import opened, redrive

UNTIL = datetime(2026, 6, 2, 14, 15, tzinfo=UTC)
CLOSE = "/complete$"
NO_COMMAND = {EventType.AUTHORIZATION_CHANGED, EventType.AUTHORIZATION_ACTION_REQUIRED}


def shown(events):
    return {event.data.TYPE: (event.causation_id, event.correlation_id) for event in events}


async def test_every_event_of_a_handoff_and_of_its_close_names_the_request(make_queue, close, watch):
    queue = make_queue()
    watched = await queue.apply(watch())
    assert shown(queue.events(EventType.COMMAND_FINISHED)) == {EventType.COMMAND_FINISHED: (watched, watched)}
    before = len(queue.events())
    request = await queue.apply(HandoffRequest())
    handoff = queue.check(request).handoff_id
    grant = await queue.apply(RecordAccess(handoff_id=handoff, operator="op", grant_expires_at=UNTIL))
    closed = await queue.apply(close(handoff))
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    queue.sim.act(queue.authorization_id, "payer", truth="approved")
    await queue.observe_until(EventType.AUTHORIZATION_SETTLED)
    flow = queue.events()[before:]
    assert {event.correlation_id for event in flow if event.data.TYPE not in NO_COMMAND} == {request}
    assert {event.correlation_id for event in flow if event.causation_id is None} <= {None, request}
    causes = shown(flow)
    assert causes[EventType.HANDOFF_ACCESS_GRANTED][0] == grant
    assert causes[EventType.HANDOFF_CLOSED][0] == causes[EventType.HANDOFF_RECONCILED][0] == closed
    assert causes[EventType.AUTHORIZATION_SETTLED] == (None, request)
    assert queue.events(EventType.AUTHORIZATION_CHANGED)[-1].correlation_id is None, "the payer's own change"


async def test_a_handoff_of_another_actor_has_no_first_command_and_its_close_is_one(make_queue, close, watch):
    queue = make_queue()
    queue.sim.act(queue.authorization_id, do="open_handoff")
    await queue.apply(watch())
    (event,) = queue.events(EventType.HANDOFF_OPENED)
    assert (event.causation_id, event.correlation_id) == (None, None)
    command = await queue.apply(close(event.data.handoff_id))
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.causation_id, closed.correlation_id) == (command, command)


async def dead_lettered_close(make_queue, close):
    """A queue whose close is a dead letter and whose state has forgotten the handoff; the request and the close."""
    queue = make_queue()
    handoff = await opened(queue)
    (request,) = {event.causation_id for event in queue.events(EventType.HANDOFF_OPENED)}
    queue.sim.fault("answer", method="POST", path=CLOSE, status=400, code="bad_request")
    command = await queue.apply(close(handoff))
    (dead,) = queue.events(EventType.COMMAND_DEAD_LETTERED)
    assert (dead.causation_id, dead.correlation_id) == (command, request)
    queue.sim.faults.clear()
    queue.state, queue.is_state_forged = queue.decoded_state().replace(active=None, last=None).encode(), True
    return queue, request, command


async def test_a_redrive_keeps_the_first_command_of_its_dead_letter(make_queue, close):
    queue, request, command = await dead_lettered_close(make_queue, close)
    (letter,) = queue.dead_letters()
    redrive(queue, letter)
    await queue.drain()
    finished = queue.events(EventType.COMMAND_FINISHED)[-1]
    assert finished.data.redrive == 1
    assert (finished.causation_id, finished.correlation_id) == (command, request)


async def test_a_discard_keeps_the_first_command_of_its_dead_letter(make_queue, close):
    queue, request, command = await dead_lettered_close(make_queue, close)
    await queue.apply(Discard(command_id=command, requested_by="op", reason=DecisionReason.DONE_BY_HAND))
    finished = queue.events(EventType.COMMAND_FINISHED)[-1]
    assert (finished.data.outcome, finished.correlation_id) == ("discarded", request)
