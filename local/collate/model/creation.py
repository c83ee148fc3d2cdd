"""New authorizations, for a test in a given state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from local.collate.model.authorization import Action, Authorization, Case, Snapshot, Status, Truth

HANDOFF_ACTIVE = "handoff_active"
DEFAULT_STATE = "complete_payer_interaction"
STATES: dict[str, tuple[Status, Action | None]] = {
    "resolve_requirements": (Status.REQUIRES_ACTION, Action.RESOLVE_REQUIREMENTS),
    "continue_authorization": (Status.REQUIRES_ACTION, Action.CONTINUE_AUTHORIZATION),
    "approve_submission": (Status.REQUIRES_ACTION, Action.APPROVE_SUBMISSION),
    "complete_payer_interaction": (Status.REQUIRES_ACTION, Action.COMPLETE_PAYER_INTERACTION),
    HANDOFF_ACTIVE: (Status.REQUIRES_ACTION, Action.COMPLETE_PAYER_INTERACTION),
    "processing": (Status.PROCESSING, None),
    "waiting_on_payer": (Status.WAITING_ON_PAYER, None),
    "completed": (Status.COMPLETED, None),
    "canceled": (Status.CANCELED, None),
}


@dataclass(frozen=True, slots=True)
class AuthorizationSpec:
    """The authorizations to create. The fields are those of the control API, in snake case."""

    organization: str
    state: str = DEFAULT_STATE
    count: int = 1
    ids: tuple[str, ...] = ()
    version: int = 3
    review_backed: bool = False
    truth: Truth = Truth.AS_REPORTED
    decision_seconds: float | None = None
    finds_after_seconds: float | None = None
    overlay: Mapping[str, Any] | None = None
    handoff_overlay: Mapping[str, Any] | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any], organization: str) -> Self:
        """Parse the control API's JSON. Raises ValueError if a field, state or truth is unknown."""
        known = {_camel(field.name): field.name for field in fields(cls)}
        if unknown := sorted(set(value) - set(known)):
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        values = {"organization": organization} | {known[name]: item for name, item in value.items()}
        values["ids"] = tuple(values.get("ids", ()))
        values["truth"] = Truth(values.get("truth", Truth.AS_REPORTED))
        if values.get("state", DEFAULT_STATE) not in STATES:
            raise ValueError(f"unknown state {values['state']!r}; known: {', '.join(STATES)}")
        return cls(**values)


def authorization_from(
    spec: AuthorizationSpec, authorization_id: str, now: float, new_id: Callable[[str], str]
) -> Authorization:
    """Return a new authorization in the specified state."""
    status, action = STATES[spec.state]
    with_snapshot = spec.review_backed or action is Action.APPROVE_SUBMISSION
    is_received = status is Status.WAITING_ON_PAYER or spec.state == "completed"
    decision_at = now if spec.state == "completed" else None
    finds = spec.finds_after_seconds
    return Authorization(
        id=authorization_id,
        case=Case(
            organization=spec.organization,
            created_at=now,
            review_backed=spec.review_backed,
            overlay=spec.overlay,
            handoff_overlay=spec.handoff_overlay,
        ),
        version=spec.version,
        status=status,
        updated_at=now,
        action=action,
        outcome="approved" if decision_at is not None else None,
        snapshot=Snapshot(new_id("rev"), now, spec.version) if with_snapshot else None,
        receipt=(now, new_id("PA").upper()) if is_received else None,
        decision=(now, "approved") if decision_at is not None else None,
        truth=Truth(spec.truth),
        decision_seconds=spec.decision_seconds,
        finds_at=now + finds if finds is not None and status is Status.PROCESSING else None,
        decides_at=now + spec.decision_seconds
        if spec.decision_seconds is not None and status is Status.WAITING_ON_PAYER
        else None,
        completed_at=decision_at,
        canceled_at=now if status is Status.CANCELED else None,
    )


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
