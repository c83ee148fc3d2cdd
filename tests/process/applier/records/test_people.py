"""Who requested, accepted, reported, received a link or decided: in every event about it, and who vouches for it."""

from datetime import UTC, datetime

import pytest

from schemas.commands import Completed, EmptyRecentCommands, HandoffClose, HandoffRequest, RecordAccess, ReleaseHandoff
from schemas.enums import ClaimCheck, DecisionReason, EventType, ReportedOutcome

PERSON, SERVICE = "people:jo.miller", "intake"


def names_in(data):
    fields = ("requested_by", "accepted_by", "reported_by", "asserted_by")
    found = {name: getattr(data, name, None) for name in fields}
    return {name: str(value) for name, value in found.items() if value is not None}


@pytest.mark.parametrize(("caller", "vouching"), [(PERSON, "person"), (SERVICE, "caller")])
async def test_the_people_of_a_handoff_are_on_record(make_queue, close, caller, vouching):
    queue = make_queue(review_backed=True)
    await queue.apply(HandoffRequest())
    (needed,) = queue.events(EventType.AUTHORIZATION_ACTION_REQUIRED)
    names = {"requested_by": "jo.miller", "accepted_by": "dr.lee"}
    request = HandoffRequest(accepted_review_snapshot_id=needed.data.covers_review_snapshot_id, **names)
    command = await queue.apply(request, caller=caller)
    requested = {"requested_by": "jo.miller", "accepted_by": "dr.lee", "asserted_by": vouching}
    finished = queue.finished_of(command)
    assert (names_in(finished), finished.accepted_review_snapshot_id) == (
        requested,
        request.accepted_review_snapshot_id,
    )
    (opened,) = queue.events(EventType.HANDOFF_OPENED)
    assert (opened.data.caller, names_in(opened.data)) == (caller, requested)
    active = queue.public_record().active_handoff
    assert (active.requested_by, str(active.asserted_by)) == ("jo.miller", vouching)

    report = close(opened.data.handoff_id).model_copy(update={"reported_by": "sam.lee"})
    closed_by = await queue.apply(report, caller=caller)
    reported = {"reported_by": "sam.lee", "asserted_by": vouching}
    assert names_in(queue.finished_of(closed_by)) == reported
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.data.caller, names_in(closed.data)) == (caller, reported)
    await queue.observe_until(EventType.HANDOFF_RECONCILED)
    assert names_in(queue.public_record().last_handoff) == reported


async def test_without_names_nothing_vouches_for_them(make_queue, close):
    queue = make_queue()
    command = await queue.apply(HandoffRequest(), caller=SERVICE)
    (opened,) = queue.events(EventType.HANDOFF_OPENED)
    assert (opened.data.caller, names_in(opened.data)) == (SERVICE, {})
    assert names_in(queue.finished_of(command)) == {}
    await queue.apply(close(opened.data.handoff_id), caller=SERVICE)
    closed = await queue.observe_until(EventType.HANDOFF_CLOSED)
    assert (closed.data.caller, names_in(closed.data)) == (SERVICE, {})


@pytest.mark.parametrize(("caller", "vouching"), [(PERSON, "person"), (SERVICE, "caller")])
async def test_a_grant_and_a_decision_say_who_vouches_for_their_operator(make_queue, caller, vouching):
    queue = make_queue()
    until = datetime(2026, 6, 2, 14, 15, tzinfo=UTC)
    queue.send(RecordAccess(handoff_id="mhand_1", operator="jo.miller", grant_expires_at=until), caller=caller)
    await queue.apply(EmptyRecentCommands(requested_by="jo.miller", reason=DecisionReason.OTHER), caller=caller)
    (granted,) = queue.events(EventType.HANDOFF_ACCESS_GRANTED)
    assert (granted.data.operator, granted.data.caller, granted.data.asserted_by) == ("jo.miller", caller, vouching)
    (emptied,) = queue.events(EventType.AUTHORIZATION_RECENT_COMMANDS_EMPTIED)
    assert (emptied.data.decision.requested_by, emptied.data.decision.asserted_by) == ("jo.miller", vouching)


@pytest.mark.parametrize("check", [None, ClaimCheck.DONE, ClaimCheck.SKIPPED])
async def test_the_event_of_a_grant_says_whether_claims_were_checked(make_queue, check):
    queue = make_queue()
    until = datetime(2026, 6, 2, 14, 15, tzinfo=UTC)
    record = RecordAccess(handoff_id="mhand_1", operator="jo.miller", grant_expires_at=until, claim_check=check)
    await queue.apply(record, caller=PERSON)
    (granted,) = queue.events(EventType.HANDOFF_ACCESS_GRANTED)
    assert granted.data.claim_check is check


async def test_a_person_claims_releases_and_takes_over_a_handoff_in_the_order_of_the_topic(make_queue):
    queue = make_queue()
    await queue.apply(HandoffRequest(), caller=SERVICE)
    (opened,) = queue.events(EventType.HANDOFF_OPENED)
    handoff, until, other = opened.data.handoff_id, datetime(2026, 6, 2, 14, 15, tzinfo=UTC), "people:sam.lee"

    def grant(caller, **fields):
        record = RecordAccess(handoff_id=handoff, operator="o", grant_expires_at=until, **fields)
        return queue.send(record, caller=caller)

    first = grant(PERSON)
    grant(other)
    await queue.drain()
    (claimed,) = queue.events(EventType.HANDOFF_CLAIMED)
    assert (claimed.data.caller, claimed.causation_id) == (PERSON, first)
    assert queue.public_record().active_handoff.claim.caller == PERSON
    queue.send(ReleaseHandoff(handoff_id=handoff), caller=other)
    grant(other, take_over=True)
    await queue.apply(ReleaseHandoff(handoff_id=handoff), caller=other)
    assert queue.events(EventType.HANDOFF_CLAIMED)[-1].data.taken_over_from == PERSON
    (released,) = queue.events(EventType.HANDOFF_RELEASED)
    assert released.data.caller == other
    assert queue.public_record().active_handoff.claim is None


async def test_a_person_who_ends_a_colleagues_handoff_unasked_is_rejected_with_the_holder(make_queue):
    queue = make_queue()
    await queue.apply(HandoffRequest(), caller=PERSON)
    (opened,) = queue.events(EventType.HANDOFF_OPENED)

    async def close(**fields):
        result = Completed(reported_outcome=ReportedOutcome.SUBMITTED)
        command = HandoffClose(handoff_id=opened.data.handoff_id, result=result, **fields)
        await queue.apply(command, caller="people:sam.lee")
        finished = queue.events(EventType.COMMAND_FINISHED)[-1].data
        return finished.outcome, finished.reason, finished.claimed_by

    assert await close() == ("rejected", "claimed_by_another", PERSON)
    assert await close(take_over=True) == ("applied", None, None)
