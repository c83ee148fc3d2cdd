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
class RefusedPart:
    """A part of the report that must be filled in, or that contradicts the chosen result: the name of its field.

    With `contradicts` the person typed it, and the chosen result has no place for it: nothing typed is dropped.
    """

    field: str
    contradicts: bool = False


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


def close_result(report: TypedReport) -> models.CloseResult | RefusedPart:
    """Return `result` of the close command, or the part that is missing or too much. The API checks the rest."""
    notes, typed = report.notes or None, {"reason": report.reason, "why": report.why, "reference": report.reference}
    places = {"unable_to_complete": "reason", "revoked": "why"}
    own = places.get(report.result, "reference" if report.result in set(ReportedOutcome) else "")
    if not own:
        return RefusedPart("result")
    if others := [field for field, text in typed.items() if text and field != own]:
        return RefusedPart(others[0], contradicts=True)
    match report.result:
        case "unable_to_complete" if report.reason in UNABLE_REASONS:
            return results.unable_to_complete(report.reason, operator_notes=notes)
        case "revoked" if report.why:
            return results.revoked(report.why, notes=notes)
        case "unable_to_complete" | "revoked":
            return RefusedPart(own)
        case outcome:
            reported = cast("models.ReportedOutcome", outcome)
            reference = report.reference or None
            return results.completed(reported, observed_reference_number=reference, operator_notes=notes)
