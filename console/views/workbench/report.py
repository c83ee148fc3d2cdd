"""The report of a handoff as a person typed it, and the body of the close command that it becomes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from console.api import models, results
from schemas.commands import UNABLE_REASONS
from schemas.enums import ReportedOutcome


@dataclass(frozen=True, slots=True)
class TypedReport:
    """What the person typed; an empty text for an empty field. It is shown again only if the API rejects the report."""

    result: str = ""
    reason: str = ""
    reference: str = ""
    notes: str = ""
    why: str = ""
    takes_over: bool = False


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
        takes_over=form.get("take_over") == "yes",
    )


def close_result(report: TypedReport) -> models.CloseResult | MissingPart:
    """Return `result` of the close command, or the part that is missing. The API checks the rest."""
    notes = report.notes or None
    match report.result:
        case "unable_to_complete" if report.reason in UNABLE_REASONS:
            return results.unable_to_complete(report.reason, operator_notes=notes)
        case "unable_to_complete":
            return MissingPart("reason")
        case "revoked" if report.why:
            return results.revoked(report.why, notes=notes)
        case "revoked":
            return MissingPart("why")
        case outcome if outcome in set(ReportedOutcome):
            reported = cast("models.ReportedOutcome", outcome)
            reference = report.reference or None
            return results.completed(reported, observed_reference_number=reference, operator_notes=notes)
        case _:
            return MissingPart("result")
