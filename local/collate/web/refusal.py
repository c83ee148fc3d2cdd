"""Collate's typed errors (docs/collate-contract.md §7), and undocumented errors that a client must handle.

Refusal ── status, code, message, retryable, details, issues ──▶ {"error": {...}, "requestId": "req_..."}
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """A typed error: the reason why a call has no effect."""

    status: int
    code: str
    message: str
    retryable: bool = False
    details: dict[str, Any] = field(default_factory=dict)
    issues: tuple[dict[str, Any], ...] = ()

    def envelope(self, request_id: str) -> dict[str, Any]:
        """The error envelope of docs/collate-contract.md §7."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "retryable": self.retryable,
                "details": self.details,
                "issues": list(self.issues),
            },
            "requestId": request_id,
        }


UNAUTHORIZED = Refusal(401, "unauthorized", "The API key is missing or not valid in this environment.")
AUTHORIZATION_NOT_FOUND = Refusal(404, "prior_authorization_not_found", "No such prior authorization.")
HANDOFF_NOT_FOUND = Refusal(404, "manual_handoff_not_found", "No such manual handoff.")
ROUTE_NOT_FOUND = Refusal(404, "not_found", "No such route.")
KEY_REUSED = Refusal(409, "idempotency_key_reused", "This idempotency key was used with another request.")
KEY_IN_FLIGHT = Refusal(
    409, "idempotency_request_in_progress", "A request with this idempotency key is running.", retryable=True
)
ENDED = Refusal(409, "prior_authorization_not_actionable", "The prior authorization has ended.")
REVIEW_STALE = Refusal(409, "review_stale", "The accepted review snapshot is not the current one.")
HANDOFF_NOT_ALLOWED = Refusal(409, "manual_handoff_not_allowed", "The next action is not a manual handoff.")
HANDOFF_ACTIVE = Refusal(409, "manual_handoff_already_active", "A manual handoff is active.")
HANDOFF_NOT_ACTIVE = Refusal(409, "manual_handoff_not_active", "The manual handoff is not active.")
ACCESS_NOT_AVAILABLE = Refusal(409, "manual_handoff_access_not_available", "No access to the session right now.")
GRANT_EXPIRED = Refusal(404, "access_grant_expired", "This link has expired.")
GRANT_REVOKED = Refusal(404, "access_grant_revoked", "This link is no longer valid.")
SESSION_LOST = Refusal(404, "channel_session_lost", "The payer session is gone.")
GRANT_NOT_FOUND = Refusal(404, "access_grant_not_found", "No such link.")


def bad_request(message: str, field_name: str | None = None) -> Refusal:
    """Return 400 bad_request, with an issue if one field is invalid."""
    issues = () if field_name is None else ({"code": "invalid", "field": field_name, "message": message},)
    return Refusal(400, "bad_request", message, issues=issues)


def version_conflict(expected: int, actual: int) -> Refusal:
    """Return 409 version_conflict with the client's and the server's version (docs/collate-contract.md §2)."""
    return Refusal(
        409,
        "version_conflict",
        "The resource has changed since it was read.",
        details={"expectedVersion": expected, "actualVersion": actual},
    )


def header_missing(name: str, status: int) -> Refusal:
    """Return the error for a missing header. Its status is undocumented (docs/collate-contract.md §10b)."""
    code = {422: "validation_failed", 428: "precondition_required"}.get(status, "bad_request")
    return Refusal(status, code, f"The {name} header is required.")
