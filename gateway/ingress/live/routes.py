"""The live routes: access grants, a handoff now, review snapshot, evidence. A UI can act on each of their problems."""

import json
from typing import assert_never

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.ingress.auth.names import operator_in_query, parse_with_operator
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.http.context import context_of
from gateway.ingress.http.deadlines import LIVE_CALL_SECONDS
from gateway.ingress.http.problems import (
    AuditUnavailable,
    HandoffNotFound,
    InvalidCommand,
    NoPayerEvidence,
    NoReviewSnapshot,
    NotPermitted,
    WritesOff,
)
from gateway.ingress.http.query import read_query
from gateway.ingress.http.request import parse, path_id, read_json
from gateway.ingress.http.responses import ModelResponse
from gateway.ingress.live.audit import AccessRecord
from gateway.ingress.live.evidence import EvidenceReader
from gateway.ingress.live.grants import ACTIVE, GrantRequest, Grants
from gateway.ingress.live.outcomes import (
    Granted,
    NoEvidence,
    NoSnapshot,
    NotOpen,
    Snapshot,
    Unrecorded,
    UpstreamError,
)
from gateway.ingress.live.presenter import live_handoff
from gateway.ingress.live.problems import problem_of, problem_of_check, problem_of_not_open
from gateway.ingress.live.review import Reviews
from gateway.ingress.live.situations import SharedSituations
from runtime.http.problem import Fault
from schemas.api.messages import AccessGrantBody, PayerEvidence, ReleaseAccepted, ReleaseBody
from schemas.api.queries import HandoffQuery, OperatorQuery, Query
from schemas.commands import RecordRead, ReleaseHandoff
from schemas.enums import ReadContent
from schemas.times import format_time

_FOR_PEOPLE = "expected no such field from a service: only people claim handoffs"


class LiveCalls:
    """The endpoints of the live routes."""

    def __init__(
        self,
        access: AccessControl,
        grants: Grants | None,
        reviews: Reviews,
        evidence: EvidenceReader,
        *,
        situations: SharedSituations,
        record: AccessRecord,
    ) -> None:
        self._access = access
        self._grants = grants
        self._reviews = reviews
        self._evidence = evidence
        self._situations = situations
        self._record = record

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
        faults = tuple(Fault(_FOR_PEOPLE, pointer=name) for name, value in of_people.items() if value is not None)
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
                    await self._record.put(authorization_id, caller.name, read)
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
        parse(ReleaseBody, await read_json(request))
        context = context_of(request.scope)
        context.log_fields |= {"authorization_id": authorization_id, "handoff_id": handoff_id}
        self._record.require_open()
        await self._record.put(authorization_id, caller.name, ReleaseHandoff(handoff_id=handoff_id))
        return ModelResponse(ReleaseAccepted(authorization_id=authorization_id, handoff_id=handoff_id), 202)

    async def handoff(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/handoffs/{handoffId}: the state at Collate now.

        The handoff id `active` means the active handoff of the authorization. Collate's message is PHI, so its read is
        recorded first. With `message=omit` the response has no message, and the read needs no record.
        """
        caller = self._access.admit(request)
        authorization_id, handoff_id = path_id(request, "authorizationId"), path_id(request, "handoffId")
        query = read_query(request, HandoffQuery)
        operator = operator_in_query(caller, query)
        with_message = query.message is None
        context = context_of(request.scope)
        context.log_fields |= {"authorization_id": authorization_id, "handoff_id": handoff_id, "operator": operator}
        if with_message:
            self._record.require_open()
        context.deadline.extend(LIVE_CALL_SECONDS)
        wanted_id = None if handoff_id == ACTIVE else handoff_id
        found = await self._situations.read(authorization_id, wanted_id, caller.name)
        if isinstance(found, UpstreamError):
            raise problem_of(found)
        if wanted_id is not None and found.handoff is None:
            raise HandoffNotFound("Collate has no such handoff of this authorization. Read `active` instead.")
        if with_message and found.handoff is not None:
            read = RecordRead(content=ReadContent.HANDOFF_MESSAGE, operator=operator)
            await self._record.put(authorization_id, caller.name, read)
        return ModelResponse(live_handoff(found, with_message=with_message))

    async def review(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/review-snapshot?operator=…: PHI, so the read is recorded first."""
        caller, authorization_id, operator = self._begin_read(request)
        outcome = await self._reviews.read(authorization_id, caller)
        match outcome:
            case Snapshot():
                read = RecordRead(
                    content=ReadContent.REVIEW_SNAPSHOT, operator=operator, review_snapshot_id=outcome.snapshot.id
                )
                await self._record.put(authorization_id, caller, read)
                head: dict[str, object] = {"authorizationId": outcome.authorization_id, "version": outcome.version}
                if outcome.covers_review_snapshot_id is not None:
                    head["coversReviewSnapshotId"] = outcome.covers_review_snapshot_id
                # Collate's own bytes of the snapshot: a reviewer must see exactly the content that was sent.
                body = json.dumps(head).encode()[:-1] + b', "reviewSnapshot": ' + outcome.snapshot.to_json() + b"}"
                return Response(body, media_type="application/json")
            case NoSnapshot():
                raise NoReviewSnapshot(
                    "Nothing is to be reviewed now. Read the snapshot again when the authorization requires an action."
                )
            case UpstreamError():
                raise problem_of(outcome)
            case _:
                assert_never(outcome)

    async def evidence(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/payer-evidence?operator=…: PHI, so the read is recorded first."""
        caller, authorization_id, operator = self._begin_read(request)
        outcome = await self._evidence.read(authorization_id, caller)
        match outcome:
            case PayerEvidence():
                read = RecordRead(content=ReadContent.PAYER_EVIDENCE, operator=operator)
                await self._record.put(authorization_id, caller, read)
                return ModelResponse(outcome)
            case NoEvidence():
                raise NoPayerEvidence("Read it again after `receiptSeen` or `decisionSeen` in an event.")
            case UpstreamError():
                raise problem_of(outcome)
            case _:
                assert_never(outcome)

    def _begin_read(self, request: Request) -> tuple[str, str, str | None]:
        """Return the caller, the authorization and the operator of a read of PHI."""
        caller = self._access.admit(request)
        authorization_id = path_id(request, "authorizationId")
        operator = operator_in_query(caller, read_query(request, OperatorQuery))
        context = context_of(request.scope)
        context.log_fields |= {"authorization_id": authorization_id, "operator": operator}
        self._record.require_open()
        context.deadline.extend(LIVE_CALL_SECONDS)
        return caller.name, authorization_id, operator


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
