"""What one read of an authorization shows. It changes nothing at Collate; only names of fields leave it, no values."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from adapters.collate.operations import Operation, path_of
from adapters.collate.response_parser import unreadable_fields
from cli.collate.caller import ProbeCaller, Reply, member
from cli.collate.findings import Findings
from schemas.collate.authorization import ActionType, PriorAuthorization, Status
from schemas.collate.handoff import HandoffState, ManualHandoff

_NONE: Final = "gateway-probe"  # an id that no handoff and no authorization has
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,39}")
_VERSIONS: Final = ("priorAuthorizationVersion", "requirementsVersion", "answersVersion", "attachmentsVersion")


async def read_once(collate: ProbeCaller, authorization_id: str, findings: Findings) -> PriorAuthorization | None:
    """Read the authorization and add what it shows; None if it cannot be read."""
    reply = await collate.get(path_of(Operation.GET_AUTHORIZATION, authorization_id))
    if not reply.is_ok:
        findings.add("1", "read of the authorization", str(reply), is_problem=True)
        return None
    findings.add("1", "read of the authorization", str(reply.status))
    _headers(reply, findings)
    try:
        authorization = PriorAuthorization.from_wire(reply.body)
    except ValidationError as error:
        findings.add("3", "fields that cannot be read", ", ".join(unreadable_fields(error)), is_problem=True)
        return None
    unread = authorization.unread_fields
    findings.add("3", "fields that cannot be read", ", ".join(unread) or "none", is_problem=bool(unread))
    _authorization(reply.document, authorization, findings)
    await _handoff(collate, authorization_id, authorization, findings)
    await _errors(collate, findings)
    return authorization


def _headers(reply: Reply, findings: Findings) -> None:
    names = [name for name in ("x-request-id", "request-id") if name in reply.headers]
    findings.add("2", "header with the request id", ", ".join(names) or "none")
    findings.add("2", "ETag", "sent" if "etag" in reply.headers else "not sent")


def _authorization(document: Mapping[str, object], authorization: PriorAuthorization, findings: Findings) -> None:
    is_known = authorization.status in set(Status)
    findings.add("3", "status", authorization.status if is_known else "a word that the gateway does not know")
    action = authorization.next_action
    if action is not None:
        findings.add("3", "next action", action.type if action.type in set(ActionType) else "an unknown word")
        kind = authorization.resolution
        findings.add("3", "nextAction.resolution.kind", f"{kind} (V3)" if kind else "absent (V2)")
        covers = member(document.get("nextAction"), "covers")
        keys = [name for name in _VERSIONS if isinstance(covers, Mapping) and name in covers]
        findings.add("3", "versions in nextAction.covers", ", ".join(keys) or "none")
        covered = authorization.covers_review_snapshot_id is not None
        findings.add("3", "review snapshot to accept", "covered" if covered else "none")
    if (snapshot := authorization.review_snapshot) is not None:
        findings.add("3", "status of the review snapshot", snapshot.status or "absent")
    findings.add("3", "payer id", "shown" if authorization.payer_id else "not shown")
    for name, is_seen in (("payerReceipt", authorization.receipt_seen), ("decision", authorization.decision_seen)):
        submission = document.get("submission")
        is_there = isinstance(submission, Mapping) and name in submission
        findings.add("3", f"submission.{name}", "present" if is_seen else "null" if is_there else "absent")
    findings.add("3", "activeManualHandoff", pointer_shape(document.get("activeManualHandoff")))


def pointer_shape(pointer: object) -> str:
    """Return the shape of the pointer to the running handoff."""
    match pointer:
        case None:
            return "null"
        case str():
            return "a bare id"
        case Mapping():
            names = sorted(name for name in pointer if isinstance(name, str) and _NAME.fullmatch(name))
            return f"an object with {', '.join(names) or 'no names'}"
        case _:
            return "another value"


async def _handoff(
    collate: ProbeCaller, authorization_id: str, authorization: PriorAuthorization, findings: Findings
) -> None:
    handoff_id = authorization.active_handoff_id
    if handoff_id is not None:
        findings.add("4", "status while a handoff is active", authorization.status)
        reply = await collate.get(path_of(Operation.GET_HANDOFF, authorization_id, handoff_id))
        read_handoff(reply, findings)
    missing = await collate.get(path_of(Operation.GET_HANDOFF, authorization_id, _NONE))
    findings.add("5.2", "read of an unknown handoff", str(missing), is_problem=missing.status != 404)


def read_handoff(reply: Reply, findings: Findings) -> ManualHandoff | None:
    """Add what the read of a handoff shows; None if it cannot be read."""
    if not reply.is_ok:
        findings.add("5", "read of the handoff", str(reply), is_problem=True)
        return None
    try:
        handoff = ManualHandoff.from_wire(reply.body)
    except ValidationError as error:
        findings.add(
            "5", "fields of the handoff that cannot be read", ", ".join(unreadable_fields(error)), is_problem=True
        )
        return None
    is_known = handoff.state in set(HandoffState)
    findings.add("5", "state of the handoff", handoff.state if is_known else "a word that the gateway does not know")
    return handoff


async def _errors(collate: ProbeCaller, findings: Findings) -> None:
    reply = await collate.get(path_of(Operation.GET_AUTHORIZATION, _NONE))
    findings.add("7", "read of an unknown authorization", str(reply), is_problem=reply.status != 404)
    findings.add("7", "error body", "Collate's envelope" if reply.code else "another body", is_problem=not reply.code)
    findings.add("7", "retryable", "absent" if reply.retryable is None else "present")
