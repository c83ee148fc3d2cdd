"""The one table of problems in words for people: a title, and what the person can do. Pure.

The titles and details of the API are for programs: they name headers, fields and permissions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from console.api import GatewayProblem

MOST_FORM_BYTES: Final = 64 << 10
_AGAIN: Final = "Please try again in a few seconds."
_GO_BACK: Final = "Go back and try again."
_REPORT: Final = "If it happens again, report the request id to the operators."
_ASK: Final = "Your administrator can allow it."


@dataclass(frozen=True, slots=True)
class ProblemWords:
    """A problem as a person reads it. `address`: a page that the person may open in spite of it."""

    title: str
    detail: str
    address: str | None = None


def _by_slug(*rows: tuple[str, str, str]) -> Mapping[str, ProblemWords]:
    return {slug: ProblemWords(title, detail) for slug, title, detail in rows}


PROBLEMS: Final = _by_slug(
    # The person's right to do it
    ("unauthenticated", "You are not signed in", "Sign in again."),
    ("signature-not-accepted", "You are not signed in", "Sign in again."),
    ("step-up-required", "Another sign-in is needed", "Sign in again with your second factor."),
    ("not-permitted", "You may not do this", _ASK),
    (
        "names-another-person",
        "You can act for yourself only",
        "Nothing was done. Sign in as the other person, or go on.",
    ),
    ("too-many-requests", "You sent many requests in a short time", _AGAIN),
    ("too-many-in-flight", "Many of your requests are still being answered", _AGAIN),
    ("credentials-unchecked", "Your sign-in cannot be checked now", _AGAIN),
    ("too-many-unfinished", "Many of your requests have not ended yet", "Wait until some have ended, then try again."),
    ("too-many-unknown-authorizations", "Collate does not know many of the ids in your requests", "Check the ids."),
    # The authorization and its handoff
    ("not-the-opener", "Another service has opened this handoff", "Only that service and people can act on it."),
    ("opener-unknown", "It is not known now who has opened this handoff", _AGAIN),
    ("not-found", "The gateway does not know this", "Check the id, or let the gateway watch the authorization."),
    ("authorization-not-found", "Collate does not know this authorization", "Check the id."),
    ("handoff-not-found", "Collate does not know this handoff", "Load the workbench: it shows the present handoff."),
    ("writes-off", "This installation only looks on", "Get into the session the way you do now."),
    ("handoff-not-open", "The handoff is not open", "Load the workbench: it shows the present step."),
    ("handoff-claimed", "Another person has this handoff in hand", "Ask this person first."),
    ("claim-unknown", "It is not known now whether another person has this handoff", "Ask your team, then try again."),
    ("access-unavailable", "Collate offers no session now", _AGAIN),
    ("no-review-snapshot", "There is no review snapshot", "Load the workbench: it shows the present step."),
    ("no-payer-evidence", "Collate shows no receipt and no decision of the payer", "Look again later."),
    # Collate
    ("collate-refused", "Collate does not allow this now", "Load the workbench: it shows the present step."),
    ("collate-unavailable", "Collate is not available now", _AGAIN),
    ("collate-broken", "Collate's answer cannot be read", f"{_AGAIN} {_REPORT}"),
    # The gateway
    ("no-read-model", "This installation has no lists and no timelines", "Open an authorization by its id."),
    ("read-model-unavailable", "The gateway's lists are not available now", f"{_AGAIN} Work can go on by id."),
    ("kafka-unavailable", "The gateway could not confirm that it stored this", "Send the same form again."),
    ("audit-unavailable", "The gateway could not record the access", f"So nothing is shown. {_AGAIN}"),
    ("overloaded", "The gateway is busy", _AGAIN),
    ("stopping", "This part of the gateway restarts", _AGAIN),
    ("unavailable", "The gateway is not available now", _AGAIN),
    ("deadline-passed", "The gateway needed too long", _AGAIN),
    ("broken", "The gateway failed", f"Try again. {_REPORT}"),
    ("problem", "The gateway failed", f"Try again. {_REPORT}"),
    # Dead letters
    ("not-a-dead-letter", "This command is not a dead letter now", "It may have been decided. Look at the command."),
    ("dead-letter-moved", "Your decision was about an earlier number", "Nothing is decided: read this one first."),
    ("dead-letters-changed", "The dead letters have changed since this page was loaded", "Look at them again."),
    ("not-redrivable", "This command cannot be redriven", "It can only be discarded."),
    ("dead-letters-unread", "The dead letters cannot be read now", _AGAIN),
    # The form
    ("invalid-command", "Something in the form is not accepted", "Correct it and send the form again."),
    (
        "invalid-parameter",
        "The address or the filter is not accepted",
        "Change the filter, or begin with the overview.",
    ),
    ("idempotency-key-reused", "This form was sent before with other contents", "Load the page and fill it in again."),
    ("idempotency-key-missing", "The form is incomplete", "Load the page and fill it in again."),
    ("malformed-json", "The form could not be read", _GO_BACK),
    ("unreadable", "The request could not be read", _GO_BACK),
    ("invalid-header", "The request could not be read", _GO_BACK),
    ("unsupported-media-type", "The request could not be read", _GO_BACK),
    ("transfer-coding-unknown", "The request could not be read", _GO_BACK),
    ("http-version-not-supported", "The request could not be read", "Use another browser."),
    ("method-not-allowed", "This address does not accept the request", "Use the page's own links and buttons."),
    ("body-timed-out", "The form did not arrive in time", "Go back and send it again."),
    (
        "body-too-large",
        "The form is too large",
        f"A form may have {MOST_FORM_BYTES >> 10} KiB. Go back and shorten the texts.",
    ),
    ("url-too-long", "The address is too long", "Begin with the overview, or shorten the search."),
    ("headers-too-large", "The browser sends too much data", "Delete the cookies of this site, then sign in again."),
)
# Why there is no access: more than the slug says.
NO_ACCESS: Final = _by_slug(
    ("no_active_handoff", "No handoff is open", "Load the workbench: it shows the present step."),
    ("handoff_not_active_yet", "Collate has not started the session yet", _AGAIN),
    ("handoff_closing", "Collate is closing the handoff", "Its session has ended. Load the workbench."),
    ("handoff_closed", "The handoff is closed", "Load the workbench: it shows the present step."),
    (
        "access_not_available",
        "Collate offers no session now",
        f"{_AGAIN} If it stays so, report that you could not do it.",
    ),
    ("grants_too_short", "Every link from Collate was about to expire", "Get a new link."),
)
_FIELDS: Final = {
    "operatorNotes": "Notes",
    "notes": "Notes",
    "observedReferenceNumber": "Reference",
    "reason": "Reason",
    "reportedOutcome": "What happened",
    "acceptedReviewSnapshotId": "Review snapshot",
    "ticket": "Ticket",
    "why": "Why",
    "payer": "Payer",
    "authorizationId": "Authorization",
    "caller": "Caller",
    "cause": "Cause",
    "since": "Since",
    "before": "Before",
}


def problem_words(problem: GatewayProblem) -> ProblemWords:
    """Return a problem in words. A problem of a newer gateway keeps the API's words."""
    by_reason = (
        NO_ACCESS.get(problem.reason or "") if problem.slug in {"access-unavailable", "handoff-not-open"} else None
    )
    return by_reason or PROBLEMS.get(problem.slug) or ProblemWords(problem.title, problem.detail)


def faulty_fields(problem: GatewayProblem) -> tuple[tuple[str, str], ...]:
    """Return the fields of a form that the API rejected, with the expected value. Other faults have no name."""
    named = ((_FIELDS.get(fault.where.rpartition("/")[2]), fault.expected) for fault in problem.faults)
    return tuple((name, expected) for name, expected in named if name is not None)
