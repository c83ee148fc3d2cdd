"""A service that may close only the handoffs that it opened (decision 0013)."""

from schemas.commands import HandoffRequest
from schemas.enums import EventType
from tests.process.key_queue import redrive


async def test_the_opener_closes_and_another_service_is_rejected_before_a_write(make_queue, close):
    queue = make_queue()
    request = await queue.apply(HandoffRequest(), caller="desk", own_handoffs=True)
    handoff = queue.check(request).handoff_id
    assert queue.public_record().active_handoff.opener == "desk"
    refused = queue.check(await queue.apply(close(handoff), caller="intake", own_handoffs=True))
    assert (refused.outcome, refused.reason, refused.handoff_id) == ("rejected", "not_the_opener", handoff)
    closed = queue.check(await queue.apply(close(handoff), caller="desk", own_handoffs=True))
    assert (closed.outcome, closed.effect) == ("applied", "ours")


async def test_a_handoff_of_another_actor_is_closed_by_a_service_without_the_limit(make_queue, close, watch):
    queue = make_queue()
    queue.sim.act(queue.authorization_id, do="open_handoff")
    await queue.apply(watch())
    (event,) = queue.events(EventType.HANDOFF_OPENED)
    assert queue.public_record().active_handoff.opener is None
    handoff = event.data.handoff_id
    limited = queue.check(await queue.apply(close(handoff), caller="desk", own_handoffs=True))
    assert (limited.outcome, limited.reason) == ("rejected", "not_the_opener")
    assert queue.check(await queue.apply(close(handoff), caller="desk")).outcome == "applied"


async def test_an_inferred_opening_is_the_services_own(make_queue, close):
    queue = make_queue("forgets_keys")
    queue.sim.fault("reset", method="POST", path="/manual-handoffs$", when="after", count=1)
    opened = queue.check(await queue.apply(HandoffRequest(), caller="desk", own_handoffs=True))
    assert opened.effect == "inferred"
    assert queue.public_record().active_handoff.opener == "desk"
    closed = queue.check(await queue.apply(close(opened.handoff_id), caller="desk", own_handoffs=True))
    assert closed.outcome == "applied"


async def test_a_redrive_keeps_the_limit(make_queue, close):
    queue = make_queue()
    opened = queue.check(await queue.apply(HandoffRequest(), caller="desk"))
    queue.sim.fault("answer", method="GET", path=f"/{queue.authorization_id}$", status=400, code="bad_request")
    command = await queue.apply(close(opened.handoff_id), caller="intake", own_handoffs=True)
    (letter,) = queue.dead_letters()
    queue.sim.faults.clear()
    redrive(queue, letter)
    await queue.drain()
    finished = queue.finished_of(command, redrive=1)
    assert (finished.outcome, finished.reason) == ("rejected", "not_the_opener")
