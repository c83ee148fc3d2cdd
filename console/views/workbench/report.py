"""The report of a handoff as a person typed it, and the body of the close command that it becomes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from console.api import models
from schemas.commands import UNABLE_REASONS
from schemas.enums import ReportedOutcome

UNABLE: Final = "unable_to_complete"
REVOKED: Final = "revoked"


@dataclass(frozen=True, slots=True)
class TypedReport:
    """What the person typed; an empty text for an empty field. It is shown again only if the API rejects the report."""

    result: str = ""
    reason: str = ""
    reference: str = ""
    notes: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class MissingPart:
    """A part of the report that must be filled in: the name of its field."""

    field: str


def typed_report(form: Mapping[str, str]) -> TypedReport:
    """Return the report of a form."""
    return TypedReport(
        result=form.get("result", ""),
        reason=form.get("reason", ""),
        reference=form.get("reference", "").strip(),
        notes=form.get("notes", "").strip(),
        why=form.get("why", "").strip(),
    )


def close_result(report: TypedReport) -> models.CloseResult | MissingPart:
    """Return `result` of the close command, or the part that is missing. The API checks the rest."""
    if report.result in set(ReportedOutcome):
        completed: models.Completed = {
            "type": "completed",
            "reportedOutcome": cast("models.ReportedOutcome", report.result),
        }
        if report.reference:
            completed["observedReferenceNumber"] = report.reference
        if report.notes:
            completed["operatorNotes"] = report.notes
        return completed
    if report.result == UNABLE:
        if report.reason not in UNABLE_REASONS:
            return MissingPart("reason")
        unable: models.UnableToComplete = {"type": "unable_to_complete", "reason": report.reason}
        if report.notes:
            unable["operatorNotes"] = report.notes
        return unable
    if report.result == REVOKED:
        if not report.why:
            return MissingPart("why")
        revoked: models.Revoked = {"type": "revoked", "reason": report.why}
        if report.notes:
            revoked["notes"] = report.notes
        return revoked
    return MissingPart("result")
