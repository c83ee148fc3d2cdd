"""The live routes: access grants, a handoff now, review snapshot, evidence. A UI can act on each of their problems."""

import json
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.collate.answers import Answered, Result
from adapters.collate.call_policy.calls import Priority
from adapters.collate.operations import Operation
from adapters.collate.reader import CollateReader
from gateway.ingress.api_http.api_problems import (
    AuditUnavailable,
    CollateUnavailable,
    HandoffNotFound,
    InvalidCommand,
    NoPayerEvidence,
    NoReviewSnapshot,
    NotPermitted,
    WritesOff,
)
from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.deadlines import LIVE_CALL_SECONDS
from gateway.ingress.api_http.query import read_query
from gateway.ingress.api_http.request import path_id, read_body, read_json
from gateway.ingress.api_http.responses import ModelResponse
from gateway.ingress.auth.names import operator_in_query, parse_with_operator
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.accepted_command import ONLY_PEOPLE_CLAIM
from gateway.ingress.commands.claims import ClaimReader
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.live.audit import AccessRecord
from gateway.ingress.live.grants import ACTIVE, GrantRequest, Grants, opener_check
from gateway.ingress.live.live_problems import problem_of, problem_of_check, problem_of_not_open
from gateway.ingress.live.outcomes import (
    Granted,
    NotOpen,
    Unrecorded,
    UpstreamError,
)
from gateway.ingress.live.public_situation import live_handoff
from gateway.ingress.live.situations import OlderThanOpening, SharedSituations
from runtime.http_server.problem import Fault
from schemas.api.messages import AccessGrantBody, PayerEvidence, ReleaseAccepted, ReleaseBody
from schemas.api.queries import HandoffQuery, OperatorQuery, Query
from schemas.commands import RecordRead, ReleaseHandoff
from schemas.enums import ReadContent
from schemas.times import format_time

Model = TypeVar("Model")


class LiveCalls:
    """The endpoints of the live routes."""

    def __init__(
        self,
        access: AccessControl,
        grants: Grants | None,
        collate: CollateReader,
        *,
        situations: SharedSituations,
        record: AccessRecord,
        claims: ClaimReader,
    ) -> None:
        self._access = access
        self._grants = grants
        self._collate = collate
        self._situations = situations
        self._record = record
        self._claims = claims

    async def grant(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/access-grants.

        The handoff id `active` means the active handoff of the authorization.
        """
        caller = self._access.admit(request)
        if self._grants is None:
            raise WritesOff("This gateway is a shadow. Ask the way of working that opened the handoff for a link.")
        authorization_id, handoff_id = path_id(request, "authorizationId"), path_id(request, "handoffId")
        context = context_of(request.scope)
        key = context.headers.get(b"idempotency-key")
        retry_key = None if key is None else read_key(key)
        body, operator = parse_with_operator(caller, AccessGrantBody, await read_json(request))
        of_people = {"/takeOver": body.take_over, "/claimCheck": body.claim_check}
        faults = tuple(Fault(ONLY_PEOPLE_CLAIM, pointer=name) for name, value in of_people.items() if value is not None)
        if faults and caller.person is None:
            raise InvalidCommand("Correct the fields named in `errors`. Nothing was done.", faults=faults)
        context.log_fields |= {"authorization_id": authorization_id, "handoff_id": handoff_id, "operator": operator}
        context.deadline.extend(LIVE_CALL_SECONDS)
        outcome = await self._grants.mint(
            GrantRequest(
                authorization_id,
                handoff_id,
                operator,
                caller.name,
                retry_key,
                take_over=bool(body.take_over),
                requires_claim_check=body.claim_check is not None,
                own_handoffs=caller.own_handoffs,
            )
        )
        match outcome:
            case Granted():
                context.log_fields["handoff_id"] = outcome.handoff_id
                if outcome.claim_check is not None:
                    context.log_fields["claim_check"] = outcome.claim_check.value
                return JSONResponse(_granted(outcome), 201)
            case NotOpen():
                if outcome.message is not None:
                    read = RecordRead(content=ReadContent.HANDOFF_MESSAGE, operator=operator)
                    await self._put(request, authorization_id, caller.name, read, outcome.handoff_id)
                raise problem_of_not_open(outcome)
            case Unrecorded(retry_after_seconds=seconds):
                raise AuditUnavailable(
                    "No link was made, because the access could not be recorded. Please try again in a few seconds.",
                    retry_after_seconds=seconds,
                )
            case UpstreamError():
                raise problem_of(outcome)
            case _:
                raise problem_of_check(outcome)

    async def release(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/release, for people only."""
        caller = self._access.admit(request)
        authorization_id, handoff_id = path_id(request, "authorizationId"), path_id(request, "handoffId")
        read_query(request, Query)
        if caller.person is None:
            raise NotPermitted("Only people claim and release handoffs, with their own token.")
        await read_body(request, ReleaseBody)
        context = context_of(request.scope)
        context.log_fields |= {"authorization_id": authorization_id, "handoff_id": handoff_id}
        self._record.require_open()
        await self._put(request, authorization_id, caller.name, ReleaseHandoff(handoff_id=handoff_id), handoff_id)
        return ModelResponse(ReleaseAccepted(authorization_id=authorization_id, handoff_id=handoff_id), 202)

    async def handoff(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/handoffs/{handoffId}: the state at Collate now.

        The handoff id `active` means the active handoff of the authorization. Collate's message is PHI, so its read is
        recorded first; a service of `handoffs = "own"` gets that of its own open handoffs only. With `message=omit` the
        response has no message, and the read needs no record.
        """
        caller = self._access.admit(request)
        authorization_id, handoff_id = path_id(request, "authorizationId"), path_id(request, "handoffId")
        query = read_query(request, HandoffQuery)
        operator = operator_in_query(caller, query.operator)
        with_message = query.message is None
        context = context_of(request.scope)
        context.log_fields |= {"authorization_id": authorization_id, "handoff_id": handoff_id, "operator": operator}
        if with_message:
            self._record.require_open()
        context.deadline.extend(LIVE_CALL_SECONDS)
        wanted_id = None if handoff_id == ACTIVE else handoff_id
        try:
            found = await self._situations.read(authorization_id, wanted_id, caller.name, query.since)
        except OlderThanOpening:
            raise CollateUnavailable(
                "A handoff has opened, and Collate's answer is older than it. Please try again in a few seconds.",
                retry_after_seconds=2.0,
            ) from None
        if isinstance(found, UpstreamError):
            raise problem_of(found)
        if wanted_id is not None and found.handoff is None:
            raise HandoffNotFound("Collate has no such handoff of this authorization. Read `active` instead.")
        if with_message and found.handoff is not None and found.handoff.message is not None:
            if caller.own_handoffs:
                failed = await opener_check(self._claims, authorization_id, found.handoff.id, caller.name)
                if failed is not None:
                    raise problem_of_check(failed)
            read = RecordRead(content=ReadContent.HANDOFF_MESSAGE, operator=operator)
            await self._put(request, authorization_id, caller.name, read, found.handoff_id)
        return ModelResponse(live_handoff(found, with_message=with_message))

    async def review(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/review-snapshot?operator=…: PHI, so the read is recorded first."""
        caller, authorization_id, operator = self._begin_read(request)
        authorization = _answered(
            await self._collate.get_authorization(authorization_id, priority=Priority.LIVE, caller=caller)
        )
        snapshot = authorization.review_snapshot
        if snapshot is None:
            raise NoReviewSnapshot(
                "Nothing is to be reviewed now. Read the snapshot again when the authorization requires an action."
            )
        read = RecordRead(content=ReadContent.REVIEW_SNAPSHOT, operator=operator, review_snapshot_id=snapshot.id)
        await self._put(request, authorization_id, caller, read)
        head: dict[str, object] = {"authorizationId": authorization.id, "version": authorization.version}
        if authorization.covers_review_snapshot_id is not None:
            head["coversReviewSnapshotId"] = authorization.covers_review_snapshot_id
        # Collate's own bytes of the snapshot: a reviewer must see exactly the content that was sent.
        body = json.dumps(head).encode()[:-1] + b', "reviewSnapshot": ' + snapshot.to_json() + b"}"
        return Response(body, media_type="application/json")

    async def evidence(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/payer-evidence?operator=…: PHI, so the read is recorded first."""
        caller, authorization_id, operator = self._begin_read(request)
        found = _answered(await self._collate.get_payer_evidence(authorization_id, caller=caller))
        receipt, decision = found.submission.payer_receipt, found.submission.decision
        if receipt is None and decision is None:
            raise NoPayerEvidence("Read it again after `receiptSeen` or `decisionSeen` in an event.")
        read = RecordRead(content=ReadContent.PAYER_EVIDENCE, operator=operator)
        await self._put(request, authorization_id, caller, read)
        return ModelResponse(
            PayerEvidence(
                authorization_id=found.id,
                version=found.version,
                status=found.status,
                outcome=found.outcome,
                payer_receipt=receipt,
                decision=decision,
            )
        )

    async def _put(
        self,
        request: Request,
        authorization_id: str,
        caller: str,
        data: RecordRead | ReleaseHandoff,
        handoff_id: str | None = None,
    ) -> None:
        """Put a read or a release on record. The access log names the record, also one of an earlier request."""
        record_id = await self._record.put(authorization_id, caller, data, handoff_id)
        context_of(request.scope).log_fields["record_id"] = record_id

    def _begin_read(self, request: Request) -> tuple[str, str, str | None]:
        """Return the caller, the authorization and the operator of a read of PHI."""
        caller = self._access.admit(request)
        authorization_id = path_id(request, "authorizationId")
        operator = operator_in_query(caller, read_query(request, OperatorQuery).operator)
        context = context_of(request.scope)
        context.log_fields |= {"authorization_id": authorization_id, "operator": operator}
        self._record.require_open()
        context.deadline.extend(LIVE_CALL_SECONDS)
        return caller.name, authorization_id, operator


def _answered(result: Result[Model]) -> Model:
    """Return the authorization. Raise the problem of a read without a 2xx."""
    if not isinstance(result, Answered):
        raise problem_of(UpstreamError(Operation.GET_AUTHORIZATION, result))
    return result.model


def _granted(granted: Granted) -> dict[str, str]:
    """Return the body with the link: the only place where a grant's secrets leave the gateway."""
    grant = granted.grant
    body = {
        "handoffId": granted.handoff_id,
        "id": grant.id.get_secret_value(),
        "url": grant.url.get_secret_value(),
        "expiresAt": format_time(grant.expires_at),
    }
    if granted.message is not None:
        body["message"] = granted.message
    if granted.claim_check is not None:
        body["claimCheck"] = granted.claim_check.value
    return body
