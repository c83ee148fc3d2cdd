"""The bodies of our writes (collate-api.md sections 5.1, 5.4 to 5.6): from the command alone, always the same bytes."""

from consumers.applier.task import Asking
from schemas.commands import Completed, HandoffClose, HandoffRequest, Revoked, UnableToComplete
from schemas.identity import canonical_json


def body_of(asking: Asking) -> bytes:
    """Return the body; ValueError for a command that writes nothing."""
    match asking:
        case HandoffRequest(accepted_review_snapshot_id=accepted):
            fields = {"acceptedReviewSnapshotId": accepted}
        case HandoffClose(result=Completed() as completed):
            fields = {
                "reportedOutcome": completed.reported_outcome.value,
                "observedReferenceNumber": completed.observed_reference_number,
                "operatorNotes": completed.operator_notes,
            }
        case HandoffClose(result=UnableToComplete() as unable):
            fields = {"reason": unable.reason, "operatorNotes": unable.operator_notes}
        case HandoffClose(result=Revoked() as revoked):
            fields = {"reason": revoked.reason, "notes": revoked.notes}
        case _:
            raise ValueError("only a request and a close write to Collate")
    return canonical_json({name: value for name, value in fields.items() if value is not None})
