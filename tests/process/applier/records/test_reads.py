"""A read of content with PHI becomes an event: who read what."""

import pytest

from consumers.engine import RetryAt
from schemas.commands import HandoffRequest, RecordRead
from schemas.enums import EventType, ReadContent


@pytest.mark.parametrize(
    ("caller", "operator", "vouching"),
    [("people:jo.miller", "jo.miller", "person"), ("desk", "op-7", "caller"), ("desk", None, None)],
)
async def test_a_read_is_an_event(make_queue, caller, operator, vouching):
    queue = make_queue()
    read = RecordRead(content=ReadContent.REVIEW_SNAPSHOT, operator=operator, review_snapshot_id="rev_1")
    record = await queue.apply(read, caller=caller)
    (event,) = queue.events()
    assert (event.data.TYPE, event.causation_id) == (EventType.AUTHORIZATION_CONTENT_READ, record)
    assert (event.data.caller, event.data.operator, event.data.asserted_by) == (caller, operator, vouching)
    assert (event.data.content, event.data.review_snapshot_id) == ("review_snapshot", "rev_1")


async def test_reads_call_nobody_start_no_watch_and_take_no_share_of_recent_commands(make_queue):
    queue = make_queue()
    for _ in range(300):
        queue.send(RecordRead(content=ReadContent.REVIEW_SNAPSHOT, operator="op-7"), caller="desk")
    await queue.drain()
    assert queue.collate.calls == []
    assert queue.timer_at == pytest.approx(queue.now() + 90 * 86_400.0, abs=10.0), "only the deletion of the state"
    command = await queue.apply(HandoffRequest(), caller="desk")
    assert queue.check(command).outcome == "applied"
    assert [event.sequence for event in queue.events()] == list(range(1, len(queue.events()) + 1))


async def test_a_read_passes_a_command_that_waits_and_its_next_try_comes_no_earlier(make_queue):
    queue = make_queue()
    queue.sim.fault("answer", method="GET", status=500, code="internal_error")
    command = queue.send(HandoffRequest(), caller="desk")
    assert isinstance(waits := await queue.invoke(), RetryAt)
    tries = len(queue.collate.calls)
    for _ in range(20):
        queue.send(RecordRead(content=ReadContent.REVIEW_SNAPSHOT, operator="op-7"), caller="viewer")
        assert not isinstance(await queue.invoke(), RetryAt)
        assert (queue.tries, queue.retry_at) == (1, waits.at)
    assert len(queue.events(EventType.AUTHORIZATION_CONTENT_READ)) == 20
    assert len(queue.collate.calls) == tries
    assert not [event for event in queue.events(EventType.COMMAND_FINISHED) if event.causation_id == command]
