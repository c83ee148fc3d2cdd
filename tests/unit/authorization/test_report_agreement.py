import pytest

from consumers.authorization.facts import Observed
from consumers.authorization.reducer import reduce
from consumers.authorization.report_agreement import agreement, final_agreement
from consumers.authorization.state import NEW, Handoff, Known
from schemas.collate.authorization import PriorAuthorization


def ended(reported=None, by="us", result="completed_reported", **more):
    return Handoff(
        id="mh", state="closed", seen_at=1.0, open_version=1, by=by, result=result, reported=reported, **more
    )


def known(status="processing", *, receipt=False, decision=False, outcome=None, action=None):
    return Known(version=9, status=status, receipt=receipt, decision=decision, outcome=outcome, action=action)


BACK = known("requires_action", action="complete_payer_interaction")


@pytest.mark.parametrize(
    ("handoff", "authorization", "verdict"),
    [
        (ended("submitted"), known("waiting_on_payer", receipt=True), "agrees"),
        (ended("submitted"), BACK, "contradicts"),
        (ended("submitted"), known("requires_action", action="resolve_requirements"), "undetermined"),
        (ended("submitted", had_receipt=True), known("waiting_on_payer", receipt=True), "undetermined"),
        (ended("decision_observed"), known("completed", receipt=True, decision=True, outcome="denied"), "agrees"),
        (ended("decision_observed"), known("waiting_on_payer", receipt=True), "undetermined"),
        (ended("not_required_observed"), known("completed", outcome="not_required"), "agrees"),
        (ended("not_required_observed"), known("completed", outcome="approved"), "undetermined"),
        (ended("follow_up_required_observed"), BACK, "agrees"),
        (ended("follow_up_required_observed"), known("waiting_on_payer"), "undetermined"),
        (ended("unable_to_complete", result="unable_to_complete"), known(receipt=True), "contradicts"),
        (
            ended("unable_to_complete", result="unable_to_complete", had_receipt=True),
            known(receipt=True),
            "undetermined",
        ),
        (ended("unable_to_complete", result="unable_to_complete"), BACK, "undetermined"),
        (ended(None, by="other"), known(receipt=True), "undetermined"),
        (ended(None, result="revoked"), known(receipt=True), "no_report"),
        (ended(None, by="expiry", result="expired"), BACK, "no_report"),
        (ended(None, by="loss", result="interaction_lost_unrecoverable"), BACK, "no_report"),
        (ended(None, by="cancellation", result="canceled"), known("canceled"), "no_report"),
        (ended("brand_new"), known(receipt=True), "undetermined"),
    ],
)
def test_the_agreement_of_each_row(handoff, authorization, verdict):
    assert agreement(handoff, authorization) == verdict


def test_an_undetermined_agreement_is_decided_again_after_settlement():
    decided = known("completed", receipt=True, decision=True, outcome="approved")
    assert final_agreement(ended("decision_observed", agreement="undetermined"), decided) == "agrees"
    assert final_agreement(ended("submitted", agreement="contradicts"), decided) == "contradicts"
    assert final_agreement(ended(None, by="expiry", agreement="no_report"), decided) == "no_report"


def test_the_settlement_decides_an_undetermined_agreement_of_the_last_handoff():
    last = ended("decision_observed", agreement="undetermined")
    wire = {"id": "auth_1", "version": 9, "status": "completed", "outcome": "approved"}
    wire["submission"] = {"decision": {"id": "d"}}
    observed = Observed(PriorAuthorization.model_validate(wire))
    before = NEW.replace(last=last, known=known("waiting_on_payer").replace(version=8), floor=8)
    state, events = reduce(before, observed, 5.0)
    expected = final_agreement(last, state.known)
    assert events[-1].event.agreement == expected
    assert (state.last.agreement, state.settled_at) == (expected, 5.0)
    assert expected == "agrees"
