"""Actions of other actors: another integrator, the human, the payer, Collate's operators.

The control API runs them. A fault `act` runs them between a client's read and its write.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local.collate.model import creation, rules
from local.collate.model.authorization import Authorization, HandoffState, Result, Truth
from local.collate.model.creation import AuthorizationSpec, authorization_from
from local.collate.model.effect import Cause
from local.collate.model.state import CollateState
from local.collate.web.refusal import HANDOFF_ACTIVE, HANDOFF_NOT_ACTIVE, Refusal

OTHER = Cause("other")
_CLOSES = {operation.replace("-", "_"): operation for operation in rules.CLOSES}
ACTIONS = (
    "open_handoff",
    *_CLOSES,
    "mint_grant",
    "confirm",
    "cancel",
    "edit",
    "expire",
    "lose_session",
    "set_access",
    "set_truth",
    "payer",
    "reconcile",
    "overlay",
)


def create(state: CollateState, spec: AuthorizationSpec, now: float) -> list[str]:
    """Create the specified authorizations and return their ids. Raises ValueError if an id is already in use."""
    ids = list(spec.ids) or [state.new_id("auth") for _ in range(spec.count)]
    if taken := [authorization_id for authorization_id in ids if authorization_id in state.authorizations]:
        raise ValueError(f"these ids are in use: {', '.join(taken[:3])}")
    for authorization_id in ids:
        created = state.add(authorization_from(spec, authorization_id, now, state.new_id), Cause("scenario"))
        if spec.state == creation.HANDOFF_ACTIVE:
            state.open_handoff(created, OTHER, now)
    return ids


def act(state: CollateState, authorization_id: str, action: Mapping[str, Any], now: float) -> Refusal | None:
    """Apply an action without keys and preconditions. Return None, or the refusal if the rules forbid it."""
    authorization = state.authorizations.get(authorization_id)
    if authorization is None:
        return Refusal(404, "prior_authorization_not_found", f"No authorization {authorization_id}.")
    match action["do"]:
        case "open_handoff":
            return _open(state, authorization, now)
        case "confirm":
            return _confirm(state, authorization, now)
        case "cancel" | "edit" if (refusal := rules.ended(authorization)) is not None:
            return refusal
        case "cancel":
            state.cancel(authorization, OTHER, now)
        case "edit":
            state.edit(authorization, OTHER, now, fresh_snapshot=bool(action.get("freshSnapshot", False)))
        case "set_truth" | "payer" | "reconcile" as kind:
            return _set_truth(state, authorization, action, now, conclude_now=kind != "set_truth")
        case "overlay":
            case = replace(
                authorization.case, overlay=action.get("authorization"), handoff_overlay=action.get("handoff")
            )
            state.replace_silently(replace(authorization, case=case), now)
        case _:
            return _on_handoff(state, authorization, action, now)
    return None


def validated(action: Any) -> dict[str, Any]:
    """Return a valid action. Raises ValueError if the action is invalid."""
    if not isinstance(action, dict) or action.get("do") not in ACTIONS:
        raise ValueError(f"an actor's `do` is one of {', '.join(ACTIONS)}")
    if "truth" in action:
        Truth(action["truth"])
    if (operation := _CLOSES.get(action["do"])) is not None:
        report = rules.report_from(operation, action, "")
        if isinstance(report, Refusal):
            raise ValueError(report.message)
    return action


def _open(state: CollateState, authorization: Authorization, now: float) -> Refusal | None:
    if authorization.open_handoff is not None:
        return HANDOFF_ACTIVE
    covered = authorization.covered_snapshot
    accepting = {} if covered is None else {"acceptedReviewSnapshotId": covered.id}
    refusal = rules.handoff_refused(authorization, accepting)
    if refusal is None:
        state.open_handoff(authorization, OTHER, now)
    return refusal


def _confirm(state: CollateState, authorization: Authorization, now: float) -> Refusal | None:
    refusal = rules.confirm_refused(authorization)
    if refusal is None:
        state.confirm(authorization, OTHER, now)
    return refusal


def _set_truth(
    state: CollateState, authorization: Authorization, action: Mapping[str, Any], now: float, *, conclude_now: bool
) -> Refusal | None:
    if (refusal := rules.ended(authorization)) is not None:
        return refusal
    changed = authorization
    if "truth" in action:
        changed = replace(changed, truth=Truth(action["truth"]))
    if "decisionSeconds" in action:
        changed = replace(changed, decision_seconds=action["decisionSeconds"])
    changed = state.replace_silently(changed, now)
    if not conclude_now:
        return None
    handoff = changed.open_handoff
    if handoff is not None and handoff.state is HandoffState.CLOSING:
        changed, handoff = state.end_handoff(changed, handoff, Result.CANCELED, OTHER, now), None
    if handoff is None:
        state.conclude(changed, Cause("payer"), now)
    return None


def _on_handoff(
    state: CollateState, authorization: Authorization, action: Mapping[str, Any], now: float
) -> Refusal | None:
    handoff = authorization.open_handoff
    if handoff is None or handoff.state is HandoffState.CLOSING:
        return HANDOFF_NOT_ACTIVE
    match action["do"]:
        case "expire":
            state.end_handoff(authorization, handoff, Result.EXPIRED, Cause("collate"), now)
        case "lose_session":
            state.end_handoff(authorization, handoff, Result.INTERACTION_LOST, Cause("collate"), now)
        case "set_access":
            if handoff.state is not HandoffState.ACTIVE:
                return HANDOFF_NOT_ACTIVE
            available = bool(action.get("available", False))
            changed = replace(handoff, access_available=available, version=handoff.version + 1)
            handoffs = (*authorization.handoffs[:-1], changed)
            state.replace_silently(replace(authorization, handoffs=handoffs), now)
        case "mint_grant":
            grant = state.mint(authorization, handoff, OTHER, now)
            return grant if isinstance(grant, Refusal) else None
        case operation:
            report = rules.report_from(_CLOSES[operation], dict(action), json.dumps(dict(action), sort_keys=True))
            if isinstance(report, Refusal):
                return report
            state.close_handoff(authorization, handoff, report, OTHER, now)
    return None
