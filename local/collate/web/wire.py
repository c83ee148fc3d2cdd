"""The JSON of docs/collate-contract.md §3, §5, §6. Fields of undocumented shape have the assumed shape."""

from collections.abc import Mapping
from typing import Any

from local.collate.clock import rfc3339
from local.collate.model.authorization import Action, Authorization, Handoff, HandoffState, Snapshot, Status
from local.collate.model.state import Grant
from local.collate.profile import Profile

_PAYER = {
    "id": "payer_example",
    "displayName": "Example Health",
    "supportedStates": ["TX"],
    "supportedServiceTypes": ["outpatient", "drug"],
    "aliases": [],
    "status": "active",
    "brand": None,
    "lineOfBusiness": "commercial",
}
_REQUEST = {
    "payerId": "payer_example",
    "coverageState": "TX",
    "requestType": "outpatient",
    "serviceCode": {"system": "cpt", "code": "70551"},
}
_QUESTIONNAIRE = [{"linkId": "coverage.memberId", "text": "Member ID", "type": "string", "required": True}]
_ANSWERS = {"item": [{"linkId": "coverage.memberId", "answer": [{"valueString": "TEST-0001"}]}]}
_COVERED_VERSIONS = {"requirementsVersion": 6, "answersVersion": 9, "attachmentsVersion": 1}
_NEWER = {"introducedLater": {"kind": "not_known_yet", "values": [1, None, {"deep": True}]}}
_RESOLUTION = {
    Action.RESOLVE_REQUIREMENTS: "update_authorization",
    Action.CONTINUE_AUTHORIZATION: "confirm",
    Action.APPROVE_SUBMISSION: "confirm",
    Action.COMPLETE_PAYER_INTERACTION: "manual_handoff",
}


def authorization_json(authorization: Authorization, profile: Profile) -> dict[str, Any]:
    """PriorAuthorization, docs/collate-contract.md §3."""
    case, handoff = authorization.case, authorization.open_handoff
    is_active = handoff is not None and handoff.state in (HandoffState.OFFERED, HandoffState.ACTIVE)
    hides_action = is_active and profile.status_while_active == "processing"
    value = {
        "id": authorization.id,
        "version": authorization.version,
        "status": Status.PROCESSING if hides_action else authorization.status,
        "outcome": authorization.outcome,
        "policy": {"finalSubmission": "requires_approval"},
        "providerNpi": "1999999984",
        "payer": _PAYER,
        "request": _REQUEST,
        "route": {"channel": "portal", "accessMode": "collate_managed"},
        "questionnaire": _QUESTIONNAIRE,
        "answers": _ANSWERS,
        "requirements": {"version": 6, "questions": [], "documents": [], "issues": []},
        "attachments": [],
        "submission": {
            "reviewSnapshot": _snapshot_json(authorization, authorization.snapshot),
            "payerReceipt": _receipt_json(authorization.receipt),
            "decision": _decision_json(authorization.decision),
        },
        "nextAction": None if hides_action else _action_json(authorization),
        "activeManualHandoff": None if handoff is None else _pointer_json(handoff, profile),
        "metadata": {},
        "createdAt": rfc3339(case.created_at),
        "updatedAt": rfc3339(authorization.updated_at),
        "completedAt": time_json(authorization.completed_at),
        "canceledAt": time_json(authorization.canceled_at),
    }
    return _finished(value, case.overlay, profile)


def handoff_json(authorization: Authorization, handoff: Handoff, profile: Profile) -> dict[str, Any]:
    """ManualHandoff, docs/collate-contract.md §5: no grant, no report."""
    value = {
        "id": handoff.id,
        "version": handoff.version,
        "priorAuthorizationId": authorization.id,
        "state": handoff.state,
        "result": handoff.result,
        "accessAvailable": handoff.access_available,
        "finalSubmitCapable": handoff.final_submit_capable,
        "createdAt": rfc3339(handoff.created_at),
        "activatedAt": time_json(handoff.activated_at),
        "closedAt": time_json(handoff.closed_at),
        "message": handoff.message,
    }
    return _finished(value, authorization.case.handoff_overlay, profile)


def close_json(authorization: Authorization, handoff: Handoff, profile: Profile) -> dict[str, Any]:
    """The response of the three closes, docs/collate-contract.md §5.4: not a ManualHandoff."""
    value = {
        "manualHandoffId": handoff.id,
        "state": handoff.state,
        "authorization": {
            "id": authorization.id,
            "version": authorization.version,
            "status": authorization.status,
        },
        "result": handoff.result,
        "reconciliation": {"id": handoff.reconciliation_id, "state": "pending"},
    }
    return _finished(value, None, profile)


def grant_json(grant: Grant, url: str, profile: Profile) -> dict[str, Any]:
    """ManualHandoffAccessGrant, docs/collate-contract.md §5.3."""
    return _finished({"id": grant.id, "url": url, "expiresAt": rfc3339(grant.expires_at)}, None, profile)


def merged(value: Any, overlay: Any) -> Any:
    """Merge an overlay into JSON: objects merge key by key, other values are replaced."""
    if isinstance(value, dict) and isinstance(overlay, dict):
        return value | {key: merged(value.get(key), item) for key, item in overlay.items()}
    return overlay


def _action_json(authorization: Authorization) -> dict[str, Any] | None:
    if authorization.action is None:
        return None
    covers: dict[str, Any] = {"priorAuthorizationVersion": authorization.version, **_COVERED_VERSIONS}
    if (covered := authorization.covered_snapshot) is not None:
        covers["reviewSnapshotId"] = covered.id
    return {
        "type": authorization.action,
        "resolution": {"kind": _RESOLUTION[authorization.action]},
        "covers": covers,
    }


def _snapshot_json(authorization: Authorization, snapshot: Snapshot | None) -> dict[str, Any] | None:
    if snapshot is None:
        return None
    return {
        "id": snapshot.id,
        "status": "current",
        "kind": "final_payer_submission",
        "generatedAt": rfc3339(snapshot.generated_at),
        "covers": {"priorAuthorizationVersion": snapshot.covers_version, **_COVERED_VERSIONS},
        "summary": {"service": "MRI brain without contrast", "payer": "Example Health"},
        "answers": _ANSWERS,
        "attachments": [],
        "warnings": [],
        "transparency": {"liveSessionEndpoint": f"/v1/prior-authorizations/{authorization.id}/live-session"},
    }


def _receipt_json(receipt: tuple[float, str] | None) -> dict[str, Any] | None:
    return None if receipt is None else {"receivedAt": rfc3339(receipt[0]), "referenceNumber": receipt[1]}


def _decision_json(decision: tuple[float, str] | None) -> dict[str, Any] | None:
    return None if decision is None else {"receivedAt": rfc3339(decision[0]), "payerStatusText": decision[1]}


def _pointer_json(handoff: Handoff, profile: Profile) -> dict[str, Any]:
    pointer: dict[str, Any] = {"id": handoff.id}
    if profile.pointer == "full":
        pointer |= {"version": handoff.version, "state": handoff.state, "accessAvailable": handoff.access_available}
    return pointer


def time_json(at: float | None) -> str | None:
    """RFC 3339, or null."""
    return None if at is None else rfc3339(at)


def _finished(value: dict[str, Any], overlay: Mapping[str, Any] | None, profile: Profile) -> dict[str, Any]:
    if profile.unknown_fields:
        value |= _NEWER
    final: dict[str, Any] = merged(value, dict(overlay)) if overlay else value
    return final
