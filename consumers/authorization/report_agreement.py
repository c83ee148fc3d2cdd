"""What the payer's truth says about an operator's report (design section 6): pure, a table.

    report                        agrees if             contradicts if
    submitted                     a new receipt         no receipt, back at complete_payer_interaction
    decision_observed             a new decision
    not_required_observed         outcome not_required
    follow_up_required_observed   requires_action
    unable_to_complete                                  a new receipt
    (revoked, or ended by itself) no_report

Everything else is undetermined. New: not there yet when the handoff was first seen, so it can speak about this report.
"""

from consumers.authorization.state import Handoff, Known
from schemas.collate.authorization import ActionType, Status
from schemas.enums import Agreement, Report

PASSIVE = frozenset({"expiry", "loss", "cancellation"})


def agreement(handoff: Handoff, truth: Known) -> Agreement:
    """Compare a closed handoff's report with what the authorization shows."""
    if handoff.by in PASSIVE or handoff.result == "revoked":
        return Agreement.NO_REPORT
    new_receipt = truth.receipt and not handoff.had_receipt
    new_decision = truth.decision and not handoff.had_decision
    requires_action = truth.status == Status.REQUIRES_ACTION
    agrees = contradicts = False
    match handoff.reported:
        case Report.SUBMITTED:
            agrees = new_receipt
            back = requires_action and truth.action == ActionType.COMPLETE_PAYER_INTERACTION
            contradicts = not truth.receipt and back
        case Report.DECISION_OBSERVED:
            agrees = new_decision
        case Report.NOT_REQUIRED_OBSERVED:
            agrees = truth.outcome == "not_required"
        case Report.FOLLOW_UP_REQUIRED_OBSERVED:
            agrees = requires_action
        case Report.UNABLE_TO_COMPLETE:
            contradicts = new_receipt
        case _:
            pass
    if agrees:
        return Agreement.AGREES
    return Agreement.CONTRADICTS if contradicts else Agreement.UNDETERMINED


def final(handoff: Handoff, truth: Known) -> Agreement:
    """Return the agreement at the end: what was plain at the reconciliation stands, what was open is asked again."""
    settled = (Agreement.AGREES, Agreement.CONTRADICTS, Agreement.NO_REPORT)
    known = next((word for word in settled if word == handoff.agreement), None)
    return known or agreement(handoff, truth)
