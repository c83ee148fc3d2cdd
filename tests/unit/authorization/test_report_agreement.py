import pytest

from consumers.authorization.report_agreement import agreement, final
from consumers.authorization.state import Handoff, Known


def ended(reported=None, by="us", result="completed_reported", **more):
    return Handoff(
        id="mh", state="closed", seen_at=1.0, open_version=1, by=by, result=result, reported=reported, **more
    )


def truth(status="processing", *, receipt=False, decision=False, outcome=None, action=None):
    return Known(version=9, status=status, receipt=receipt, decision=decision, outcome=outcome, action=action)


BACK = truth("requires_action", action="complete_payer_interaction")


@pytest.mark.parametrize(
    ("handoff", "seen", "verdict"),
    [
        (ended("submitted"), truth("waiting_on_payer", receipt=True), "agrees"),
        (ended("submitted"), BACK, "contradicts"),
        (ended("submitted"), truth("requires_action", action="resolve_requirements"), "undetermined"),
        (ended("submitted", had_receipt=True), truth("waiting_on_payer", receipt=True), "undetermined"),
        (ended("decision_observed"), truth("completed", receipt=True, decision=True, outcome="denied"), "agrees"),
        (ended("decision_observed"), truth("waiting_on_payer", receipt=True), "undetermined"),
        (ended("not_required_observed"), truth("completed", outcome="not_required"), "agrees"),
        (ended("not_required_observed"), truth("completed", outcome="approved"), "undetermined"),
        (ended("follow_up_required_observed"), BACK, "agrees"),
        (ended("follow_up_required_observed"), truth("waiting_on_payer"), "undetermined"),
        (ended("unable_to_complete", result="unable_to_complete"), truth(receipt=True), "contradicts"),
        (
            ended("unable_to_complete", result="unable_to_complete", had_receipt=True),
            truth(receipt=True),
            "undetermined",
        ),
        (ended("unable_to_complete", result="unable_to_complete"), BACK, "undetermined"),
        (ended(None, by="other"), truth(receipt=True), "undetermined"),
        (ended(None, result="revoked"), truth(receipt=True), "no_report"),
        (ended(None, by="expiry", result="expired"), BACK, "no_report"),
        (ended(None, by="loss", result="interaction_lost_unrecoverable"), BACK, "no_report"),
        (ended(None, by="cancellation", result="canceled"), truth("canceled"), "no_report"),
        (ended("brand_new"), truth(receipt=True), "undetermined"),
    ],
)
def test_the_table(handoff, seen, verdict):
    assert agreement(handoff, seen) == verdict


def test_what_was_open_at_the_reconciliation_is_asked_again_at_the_end():
    decided = truth("completed", receipt=True, decision=True, outcome="approved")
    assert final(ended("decision_observed", agreement="undetermined"), decided) == "agrees"
    assert final(ended("submitted", agreement="contradicts"), decided) == "contradicts"
    assert final(ended(None, by="expiry", agreement="no_report"), decided) == "no_report"
