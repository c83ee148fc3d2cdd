"""Why a person did not get into a session, and what they can do next. Pure; it never contains a link."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SessionRefused:
    """The page of a refused entry. `holder` is the other person who has the handoff in hand.

    `is_claim_unknown`: whether another person has it in hand is unknown, so the next click needs the person's decision.
    `message` is Collate's own text for the operator. `origin` is set if the console does not know the link's origin.
    """

    authorization_id: str
    handoff_id: str
    key: str
    problem: Any = None
    reason: str | None = None
    holder: str | None = None
    holder_since: str | None = None
    message: str | None = None
    is_claim_unknown: bool = False
    origin: str | None = None


def session_refused(
    authorization_id: str, handoff_id: str, key: str, problem: Any, *, origin: str | None = None
) -> SessionRefused:
    """Return the page. `problem` is the API's refusal, or that it was not reached; None if the origin is the reason."""
    members = getattr(problem, "members", None) or {}
    return SessionRefused(
        authorization_id,
        handoff_id,
        key,
        problem=problem,
        reason=members.get("reason"),
        holder=members.get("claimedBy"),
        holder_since=members.get("claimedSince"),
        message=members.get("message"),
        is_claim_unknown=getattr(problem, "slug", None) == "claim-unknown",
        origin=origin,
    )
