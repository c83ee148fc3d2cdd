"""What others do in the world: another integrator, the human, the payer, Collate's own operators.

The control API calls it, and a fault of the kind `act` calls it between a client's read and its write.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.collate.http.refusal import HANDOFF_ACTIVE, HANDOFF_NOT_ACTIVE, Refusal
from local.collate.model import creation, rules
from local.collate.model.authorization import Authorization, HandoffState, Result, Truth
from local.collate.model.creation import Wanted, wanted_authorization
from local.collate.model.effect import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.collate.model.state import World

OTHER = Cause("other")
_CLOSES = {"complete": "complete", "unable_to_complete": "unable-to-complete", "revoke": "revoke"}
DOINGS = (
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


def create(world: World, wanted: Wanted, now: float) -> list[str]:
    """Make as many authorizations as are wanted and return their ids; raises ValueError if one exists."""
    ids = list(wanted.ids) or [world.new_id(wanted.prefix.rstrip("_")) for _ in range(wanted.count)]
    if taken := [authorization_id for authorization_id in ids if authorization_id in world.authorizations]:
        raise ValueError(f"there is already {', '.join(taken[:3])}")
    for authorization_id in ids:
        made = world.add(wanted_authorization(wanted, authorization_id, now, world.new_id), Cause("scenario"))
        if wanted.state == creation.HANDOFF_ACTIVE:
            world.open_handoff(made, OTHER, now)
    return ids


def act(world: World, authorization_id: str, doing: Mapping[str, Any], now: float) -> Refusal | None:
    """Do one thing to an authorization, past keys and preconditions; says why where the rules forbid it."""
    authorization = world.authorizations.get(authorization_id)
    if authorization is None:
        return Refusal(404, "prior_authorization_not_found", f"No authorization {authorization_id}.")
    match doing["do"]:
        case "open_handoff":
            return _open(world, authorization, now)
        case "confirm":
            return _confirm(world, authorization, now)
        case "cancel" | "edit" if (refusal := rules.ended(authorization)) is not None:
            return refusal
        case "cancel":
            world.cancel(authorization, OTHER, now)
        case "edit":
            world.edit(authorization, OTHER, now, fresh_snapshot=bool(doing.get("freshSnapshot", False)))
        case "set_truth" | "payer" | "reconcile" as what:
            return _tell_truth(world, authorization, doing, now, find_now=what != "set_truth")
        case "overlay":
            case = replace(authorization.case, overlay=doing.get("authorization"), handoff_overlay=doing.get("handoff"))
            world.replace_silently(replace(authorization, case=case), now)
        case _:
            return _on_handoff(world, authorization, doing, now)
    return None


def checked(doing: Any) -> dict[str, Any]:
    """Check a doing before it is done; raises ValueError that says what is wrong with it."""
    if not isinstance(doing, dict) or doing.get("do") not in DOINGS:
        raise ValueError(f"an actor's `do` is one of {', '.join(DOINGS)}")
    if "truth" in doing:
        Truth(doing["truth"])
    if (operation := _CLOSES.get(doing["do"])) is not None:
        report = rules.report_from(operation, doing, "")
        if isinstance(report, Refusal):
            raise ValueError(report.message)
    return doing


def _open(world: World, authorization: Authorization, now: float) -> Refusal | None:
    if authorization.open_handoff is not None:
        return HANDOFF_ACTIVE
    refusal = rules.handoff_refused(authorization, _accepting(authorization), world.profile)
    if refusal is None:
        world.open_handoff(authorization, OTHER, now)
    return refusal


def _confirm(world: World, authorization: Authorization, now: float) -> Refusal | None:
    refusal = rules.confirm_refused(authorization, _accepting(authorization), world.profile)
    if refusal is None:
        world.confirm(authorization, OTHER, now)
    return refusal


def _accepting(authorization: Authorization) -> dict[str, Any]:
    covered = authorization.covered_snapshot
    return {} if covered is None else {"acceptedReviewSnapshotId": covered.id}


def _tell_truth(
    world: World, authorization: Authorization, doing: Mapping[str, Any], now: float, *, find_now: bool
) -> Refusal | None:
    if (refusal := rules.ended(authorization)) is not None:
        return refusal
    changed = authorization
    if "truth" in doing:
        changed = replace(changed, truth=Truth(doing["truth"]))
    if "decisionSeconds" in doing:
        changed = replace(changed, decision_seconds=doing["decisionSeconds"])
    changed = world.replace_silently(changed, now)
    if not find_now:
        return None
    handoff = changed.open_handoff
    if handoff is not None and handoff.state is HandoffState.CLOSING:
        changed, handoff = world.end_handoff(changed, handoff, Result.CANCELED, OTHER, now), None
    if handoff is None:
        world.conclude(changed, Cause("payer"), now)
    return None


def _on_handoff(world: World, authorization: Authorization, doing: Mapping[str, Any], now: float) -> Refusal | None:
    handoff = authorization.open_handoff
    if handoff is None or handoff.state is HandoffState.CLOSING:
        return HANDOFF_NOT_ACTIVE
    match doing["do"]:
        case "expire":
            world.end_handoff(authorization, handoff, Result.EXPIRED, Cause("collate"), now)
        case "lose_session":
            world.end_handoff(authorization, handoff, Result.INTERACTION_LOST, Cause("collate"), now)
        case "set_access":
            if handoff.state is not HandoffState.ACTIVE:
                return HANDOFF_NOT_ACTIVE
            available = bool(doing.get("available", False))
            changed = replace(handoff, access_available=available, version=handoff.version + 1)
            handoffs = (*authorization.handoffs[:-1], changed)
            world.replace_silently(replace(authorization, handoffs=handoffs), now)
        case "mint_grant":
            grant = world.mint(authorization, handoff, OTHER, now)
            return grant if isinstance(grant, Refusal) else None
        case operation:
            report = rules.report_from(_CLOSES[operation], dict(doing), json.dumps(dict(doing), sort_keys=True))
            if isinstance(report, Refusal):
                return report
            world.close_handoff(authorization, handoff, report, OTHER, now)
    return None
