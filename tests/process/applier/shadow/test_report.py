"""One scripted ledger with each class of `gateway shadow report`: the real applier and watcher, and acts at Collate."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.shadow.comparison import compare
from schemas.commands import Completed, HandoffClose, HandoffRequest
from schemas.enums import EventType, ReportedOutcome

WITHIN = timedelta(seconds=300)


async def request(queue):
    await queue.apply(HandoffRequest())


async def open_then_close(queue):
    queue.sim.act(queue.authorization_id, do="open_handoff")
    handoff = queue.sim.state.authorizations[queue.authorization_id].open_handoff.id
    result = Completed(reported_outcome=ReportedOutcome.SUBMITTED)
    await queue.apply(HandoffClose(handoff_id=handoff, result=result))


async def request_without_its_snapshot(queue):
    await queue.apply(HandoffRequest(accepted_review_snapshot_id="rev_wrong"))


async def request_after_another_opened(queue):
    queue.sim.act(queue.authorization_id, do="open_handoff")
    await queue.apply(HandoffRequest())


async def request_too_late(queue):
    await queue.apply(HandoffRequest(), accepted_at=queue.now() - 7200)


SCRIPT = {
    "same": (request, {"do": "open_handoff"}, EventType.HANDOFF_OPENED),
    "same close": (open_then_close, {"do": "complete", "reportedOutcome": "submitted"}, EventType.HANDOFF_CLOSED),
    "different close": (open_then_close, {"do": "revoke", "reason": "r"}, EventType.HANDOFF_CLOSED),
    "different, not refused": (request_without_its_snapshot, {"do": "open_handoff"}, EventType.HANDOFF_OPENED),
    "nothing": (request, None, None),
    "already_done": (request_after_another_opened, None, None),
    "version_moved": (request, {"do": "cancel"}, EventType.AUTHORIZATION_SETTLED),
    "undecided": (request_too_late, None, None),
}


@pytest.mark.parametrize("name", SCRIPT)
async def test_the_class_of_each_story(make_shadow, name):
    send, act, shown_by = SCRIPT[name]
    queue = make_shadow()
    await send(queue)
    if act is not None:
        assert queue.sim.act(queue.authorization_id, **act) is None
        await queue.observe_until(shown_by)
    now = datetime.fromtimestamp(queue.now(), UTC) + WITHIN
    (found,) = compare(queue.events(), now, WITHIN)
    assert found.verdict == name.split()[0].rstrip(","), found
