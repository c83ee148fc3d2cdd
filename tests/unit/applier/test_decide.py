"""The decision table: every combination has one decision, every row decides something, and Collate's rules hold."""

import pytest

from consumers.applier.decision.decide import (
    TABLE,
    AlreadyDone,
    Reject,
    RereadLater,
    Write,
    decide,
    deciding_row,
    decision_of,
)
from consumers.applier.decision.decision_input import DecisionInput
from consumers.authorization.facts import Observed
from consumers.authorization.observation import MissingAuthorization
from consumers.authorization.state import NEW, AuthorizationState, Claim, Closer, CommandRef, Handoff, Known
from docs_build.decisions import combinations
from schemas.collate.authorization import PriorAuthorization
from schemas.collate.handoff import ManualHandoff
from schemas.commands import AuthorizationWatch, Completed, HandoffClose, HandoffRequest, Revoked
from schemas.enums import ReportedOutcome
from schemas.events.reasons import DeadLetterCause, OutcomeReason
from schemas.events.wait_reasons import WaitReason

SUBMITTED = Completed(reported_outcome=ReportedOutcome.SUBMITTED)


def authorization(status="requires_action", action="complete_payer_interaction", kind=None, version=5, **more):
    wire = {"id": "auth_1", "version": version, "status": status}
    if action:
        wire["nextAction"] = {"type": action}
        if kind:
            wire["nextAction"]["resolution"] = {"kind": kind}
        if covers := more.get("covers"):
            wire["nextAction"]["covers"] = {"reviewSnapshotId": covers}
    if snapshot := more.get("snapshot"):
        wire["submission"] = {"reviewSnapshot": snapshot}
    if pointer := more.get("pointer"):
        wire["activeManualHandoff"] = {"id": pointer}
    if more.get("unread_pointer"):
        wire["activeManualHandoff"] = {"session": "s"}
    return PriorAuthorization.model_validate(wire)


def handoff(state="active", result=None, handoff_id="mh_1", owner="auth_1"):
    return ManualHandoff(id=handoff_id, version=1, state=state, result=result, prior_authorization_id=owner)


def known_handoff(state="active", **more):
    return Handoff(id="mh_1", state=state, seen_at=1.0, open_version=4, **more)


def closed_by_us(operation="complete", reported="submitted", reason=None, result="completed_reported"):
    closer = Closer(caused_by=CommandRef(command_id="c"), operation=operation, reported=reported, reason=reason)
    return known_handoff("closed", result=result, by="us", reported=reported, closer=closer)


def decided(payload, observation, state=NEW, *, may_be_stale=True):
    return decide(DecisionInput.of(payload, observation, state, waited_seconds=0.0 if may_be_stale else 60.0))


def close(result=SUBMITTED, handoff_id="mh_1"):
    return HandoffClose(handoff_id=handoff_id, result=result)


def test_every_combination_has_a_decision_and_every_row_decides_something():
    used, total = set(), 0
    for _, now in combinations():
        row = deciding_row(now)
        used.add(id(row))
        total += 1
        if isinstance(decision_of(row, now), Write):
            check_safety(now)
    assert total > 20_000
    missed = {row.when for rows in TABLE.values() for row in rows if id(row) not in used}
    assert missed == set()


def check_safety(now):
    found, payload, state = now.authorization, now.payload, now.state
    assert found.version >= state.floor
    assert found.status not in {"completed", "canceled"}
    if isinstance(payload, HandoffRequest):
        assert found.status == "requires_action"
        assert found.next_action.type == "complete_payer_interaction"
        assert found.next_action.resolution is None or found.next_action.resolution.kind == "manual_handoff"
        assert found.covers_review_snapshot_id == payload.accepted_review_snapshot_id
        assert found.active_manual_handoff is None or found.active_handoff_id is not None
        assert found.active_handoff_id is None or found.active_handoff_id in state.ended or now.handoff
    else:
        assert now.handoff is None or now.handoff.state not in {"closing", "closed"}


def test_every_reason_has_one_sentence_of_advice():
    for word in (*OutcomeReason, *DeadLetterCause):
        assert word.advice.endswith(".")
        assert len(word.advice) < 160
        assert word.value.replace("_", "").isalpha()
    untold = {WaitReason.HANDLER_HUNG, WaitReason.RESULT_TOO_LARGE, WaitReason.STATE_UNREADABLE}
    assert {reason for reason in WaitReason if reason.advice is None} == untold


# Collate's own safety rules (docs/collate-contract.md §6)


def test_no_review_backed_handoff_without_the_accepted_current_snapshot():
    covering = authorization(covers="rev_1", snapshot={"id": "rev_1", "status": "current"})
    stale = authorization(covers="rev_1", snapshot={"id": "rev_1", "status": "superseded"})
    assert decided(HandoffRequest(), Observed(covering)) == Reject(OutcomeReason.REVIEW_SNAPSHOT_REQUIRED)
    for wrong, observation in (("rev_0", covering), ("rev_1", stale), ("rev_1", authorization())):
        answer = decided(HandoffRequest(accepted_review_snapshot_id=wrong), Observed(observation))
        assert answer == Reject(OutcomeReason.REVIEW_SNAPSHOT_STALE)
    assert decided(HandoffRequest(accepted_review_snapshot_id="rev_1"), Observed(covering)) == Write()
    uncovered = authorization(snapshot={"id": "rev_1", "status": "current"})
    for enough in (uncovered, authorization(covers="rev_1")):
        assert decided(HandoffRequest(accepted_review_snapshot_id="rev_1"), Observed(enough)) == Write()


def test_no_write_while_a_handoff_is_active_or_closing():
    active = Observed(authorization(pointer="mh_1"), (handoff(),))
    assert decided(HandoffRequest(), active) == AlreadyDone("mh_1")
    assert decided(HandoffRequest(), Observed(authorization(pointer="mh_1"), (handoff("closing"),))) == RereadLater(
        WaitReason.CLOSING
    )
    assert decided(HandoffRequest(), Observed(authorization(pointer="mh_1"), (), ("mh_1",))) == AlreadyDone("mh_1")


def test_a_stored_open_handoff_counts_even_if_a_lagging_read_does_not_show_it():
    state = AuthorizationState(floor=5, active=known_handoff())
    assert decided(HandoffRequest(), Observed(authorization(), (handoff(),)), state) == AlreadyDone("mh_1")
    assert decided(HandoffRequest(), Observed(authorization(), (handoff("closed", "expired"),)), state) == Write()


@pytest.mark.parametrize("payload", [HandoffRequest(), close(), AuthorizationWatch()])
def test_a_stale_read_is_never_decided_on(payload):
    state = AuthorizationState(floor=6, known=Known(version=6, status="processing"))
    assert decided(payload, Observed(authorization()), state) == RereadLater(WaitReason.STALE_READ)
    assert decided(payload, MissingAuthorization(), state) == RereadLater(WaitReason.STALE_READ)
    assert (
        decided(payload, MissingAuthorization(), state, may_be_stale=False).reason
        is OutcomeReason.AUTHORIZATION_NOT_FOUND
    )
    assert decided(payload, MissingAuthorization()).reason is OutcomeReason.AUTHORIZATION_NOT_FOUND


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ("expired", OutcomeReason.HANDOFF_EXPIRED),
        ("interaction_lost_unrecoverable", OutcomeReason.HANDOFF_LOST),
        ("canceled", OutcomeReason.HANDOFF_CANCELED),
        ("revoked", OutcomeReason.HANDOFF_REVOKED),
        ("unable_to_complete", OutcomeReason.HANDOFF_REPORTED_UNABLE),
        ("completed_reported", OutcomeReason.HANDOFF_REPORTED_COMPLETED),
        ("brand_new", OutcomeReason.HANDOFF_CLOSED),
        (None, OutcomeReason.HANDOFF_CLOSED),
    ],
)
def test_a_close_after_the_end_is_rejected_with_the_result(result, reason):
    observation = Observed(authorization("processing", None), (handoff("closed", result),))
    assert decided(close(), observation) == Reject(reason, "mh_1")


def test_the_same_report_is_already_done_and_another_is_rejected():
    state = AuthorizationState(floor=5, last=closed_by_us(), ended=("mh_1",))
    observation = Observed(authorization("processing", None), (handoff("closed", "completed_reported"),))
    assert decided(close(), observation, state) == AlreadyDone("mh_1")
    other = close(Completed(reported_outcome=ReportedOutcome.DECISION_OBSERVED))
    assert decided(other, observation, state) == Reject(OutcomeReason.HANDOFF_REPORTED_COMPLETED, "mh_1")
    revoked = Observed(authorization("processing", None), (handoff("closed", "revoked"),))
    assert decided(close(Revoked(reason="r")), revoked) == AlreadyDone("mh_1")


def test_a_close_of_a_handoff_of_another_authorization_is_not_found():
    observation = Observed(authorization(), (handoff(owner="auth_2"),))
    assert decided(close(), observation) == Reject(OutcomeReason.HANDOFF_NOT_FOUND, "mh_1")


def test_a_close_of_an_unreadable_handoff_waits_only_if_the_handoff_is_stored():
    observation = Observed(authorization(), (), ("mh_1",))
    assert decided(close(), observation) == Reject(OutcomeReason.HANDOFF_NOT_FOUND, "mh_1")
    assert decided(close(), observation, AuthorizationState(floor=5, active=known_handoff())) == RereadLater(
        WaitReason.STALE_READ
    )


@pytest.mark.parametrize(("waited", "expected"), [(599.9, RereadLater(WaitReason.OFFERED)), (600.0, Write("mh_1"))])
def test_a_close_of_an_offered_handoff_waits_ten_minutes_for_it(waited, expected):
    observation = Observed(authorization(), (handoff("offered"),))
    assert decide(DecisionInput.of(close(), observation, NEW, waited_seconds=waited)) == expected


OPENED_BY_DESK = known_handoff(opener=CommandRef(command_id="o", caller="desk"))


@pytest.mark.parametrize(
    ("stored", "caller", "expected"),
    [
        (OPENED_BY_DESK, "desk", Write("mh_1")),
        (OPENED_BY_DESK.replace(opener_inferred=True), "desk", Write("mh_1")),
        (OPENED_BY_DESK, "intake", Reject(OutcomeReason.NOT_THE_OPENER, "mh_1")),
        (known_handoff(), "desk", Reject(OutcomeReason.NOT_THE_OPENER, "mh_1")),
        (None, "desk", Reject(OutcomeReason.NOT_THE_OPENER, "mh_1")),
    ],
)
def test_a_service_with_its_own_handoffs_closes_only_what_it_opened(stored, caller, expected):
    state = AuthorizationState(floor=5, known=Known(version=5, status="processing"), active=stored)
    observation = Observed(authorization(pointer="mh_1"), (handoff(),))
    anyone = DecisionInput.of(close(), observation, state, waited_seconds=0.0)
    limited = DecisionInput.of(close(), observation, state, waited_seconds=0.0, only_opener=caller)
    assert decide(anyone) == Write("mh_1")
    assert decide(limited) == expected


CLAIMED = known_handoff(claim=Claim(caller="people:jo", since=1.0))


@pytest.mark.parametrize(
    ("stored", "person", "takes_over", "expected"),
    [
        (CLAIMED, "people:sam", None, Reject(OutcomeReason.CLAIMED_BY_ANOTHER, "mh_1")),
        (CLAIMED, "people:sam", True, Write("mh_1")),
        (CLAIMED, "people:jo", None, Write("mh_1")),
        (CLAIMED, None, None, Write("mh_1")),
        (known_handoff(), "people:sam", None, Write("mh_1")),
    ],
    ids=["another's", "asked for", "their own", "a service, or a write was sent", "unclaimed"],
)
def test_a_person_ends_a_colleagues_handoff_only_if_they_say_so(stored, person, takes_over, expected):
    state = AuthorizationState(floor=5, known=Known(version=5, status="processing"), active=stored)
    observation = Observed(authorization(pointer="mh_1"), (handoff(),))
    command = HandoffClose(handoff_id="mh_1", result=SUBMITTED, take_over=takes_over)
    assert decide(DecisionInput.of(command, observation, state, waited_seconds=0.0, person=person)) == expected


def test_an_ended_handoff_answers_as_for_everybody():
    observation = Observed(authorization("processing", None), (handoff("closed", "expired"),))
    limited = DecisionInput.of(close(), observation, NEW, waited_seconds=0.0, only_opener="desk")
    assert decide(limited) == Reject(OutcomeReason.HANDOFF_EXPIRED, "mh_1")
