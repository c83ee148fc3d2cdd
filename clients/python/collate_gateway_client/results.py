"""The three results of a handoff, for `close_handoff`. A dictionary of the API's own fields does the same."""

from collate_gateway_client.models import Completed, ReportedOutcome, Revoked, UnableToComplete

CloseResult = Completed | UnableToComplete | Revoked


def completed(
    reported_outcome: ReportedOutcome,
    *,
    observed_reference_number: str | None = None,
    operator_notes: str | None = None,
) -> Completed:
    """Return the result of an operator who saw a result at the payer. It is a report, not the payer's truth."""
    result: Completed = {"type": "completed", "reportedOutcome": reported_outcome}
    if observed_reference_number is not None:
        result["observedReferenceNumber"] = observed_reference_number
    if operator_notes is not None:
        result["operatorNotes"] = operator_notes
    return result


def unable_to_complete(reason: str, *, operator_notes: str | None = None) -> UnableToComplete:
    """Return the result of an operator who could not complete the payer interaction."""
    result: UnableToComplete = {"type": "unable_to_complete", "reason": reason}
    if operator_notes is not None:
        result["operatorNotes"] = operator_notes
    return result


def revoked(reason: str, *, notes: str | None = None) -> Revoked:
    """Return the result of a handoff that is withdrawn. `reason` is free text for Collate."""
    result: Revoked = {"type": "revoked", "reason": reason}
    if notes is not None:
        result["notes"] = notes
    return result
