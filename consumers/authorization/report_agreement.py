"""Whether the payer truth agrees with an operator's report (promise 6 in docs/architecture.md). Pure, a table.

    report                        agrees if             contradicts if
    submitted                     a new receipt         no receipt, status back at complete_payer_interaction
    decision_observed             a new decision
    not_required_observed         outcome not_required
    follow_up_required_observed   requires_action
    unable_to_complete                                  a new receipt
    (revoked, or closed by Collate) no_report

Every other case is undetermined. New means: absent at our first read of the handoff. Older proof says nothing about
this report.
"""

from consumers.authorization.state import Handoff, Known
from schemas.collate.authorization import ActionType, Status
from schemas.commands import REPORT_OF
from schemas.enums import Agreement, CloseReport

_CLOSED_BY_COLLATE = frozenset({"expiry", "loss", "cancellation"})
_NOTHING_REPORTED = frozenset(result for result, report in REPORT_OF.items() if report is None)


def agreement(handoff: Handoff, known: Known) -> Agreement:
    """Compare a closed handoff's report with the authorization."""
    if handoff.by in _CLOSED_BY_COLLATE or handoff.result in _NOTHING_REPORTED:
        return Agreement.NO_REPORT
    new_receipt = known.receipt and not handoff.had_receipt
    new_decision = known.decision and not handoff.had_decision
    requires_action = known.status == Status.REQUIRES_ACTION
    agrees = contradicts = False
    match handoff.reported:
        case CloseReport.SUBMITTED:
            agrees = new_receipt
            back = requires_action and known.action == ActionType.COMPLETE_PAYER_INTERACTION
            contradicts = not known.receipt and back
        case CloseReport.DECISION_OBSERVED:
            agrees = new_decision
        case CloseReport.NOT_REQUIRED_OBSERVED:
            agrees = known.outcome == "not_required"
        case CloseReport.FOLLOW_UP_REQUIRED_OBSERVED:
            agrees = requires_action
        case CloseReport.UNABLE_TO_COMPLETE:
            contradicts = new_receipt
        case _:
            pass
    if agrees:
        return Agreement.AGREES
    return Agreement.CONTRADICTS if contradicts else Agreement.UNDETERMINED


def final_agreement(handoff: Handoff, known: Known) -> Agreement:
    """Return the agreement after settlement: a definite verdict of the reconciliation stays, any other is repeated."""
    definite = (Agreement.AGREES, Agreement.CONTRADICTS, Agreement.NO_REPORT)
    verdict = next((verdict for verdict in definite if verdict == handoff.agreement), None)
    return verdict or agreement(handoff, known)
