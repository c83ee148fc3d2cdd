"""The live routes: access grants and the review snapshot. Every refusal is a problem on which a UI can act."""

import json
from typing import assert_never

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.http.context import context_of
from gateway.ingress.http.deadlines import LIVE_CALL_SECONDS
from gateway.ingress.http.problems import AuditUnavailable, NoReviewSnapshot
from gateway.ingress.http.request import parse, path_id, read_json
from gateway.ingress.live.grants import GrantRequest, Grants
from gateway.ingress.live.outcomes import Granted, NoSnapshot, NotOpen, Snapshot, Unrecorded, UpstreamError
from gateway.ingress.live.problems import problem_of, problem_of_not_open
from gateway.ingress.live.review import Reviews
from schemas.api.messages import AccessGrantBody
from schemas.times import format_time


class LiveCalls:
    """The endpoints of the live routes."""

    def __init__(self, access: AccessControl, grants: Grants, reviews: Reviews) -> None:
        self._access = access
        self._grants = grants
        self._reviews = reviews

    async def grant(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/access-grants.

        The handoff id `active` means the active handoff of the authorization.
        """
        caller = self._access.admit(request, Permission.HANDOFF_GRANT)
        authorization_id, handoff_id = path_id(request, "authorizationId"), path_id(request, "handoffId")
        context = context_of(request.scope)
        key = context.headers.get(b"idempotency-key")
        retry_key = None if key is None else read_key(key)
        operator = parse(AccessGrantBody, await read_json(request)).operator
        context.log_fields |= {"authorization_id": authorization_id, "handoff_id": handoff_id, "operator": operator}
        context.deadline.extend(LIVE_CALL_SECONDS)
        outcome = await self._grants.mint(GrantRequest(authorization_id, handoff_id, operator, caller.name, retry_key))
        match outcome:
            case Granted(handoff_id=handoff_id, grant=grant):
                context.log_fields["handoff_id"] = handoff_id
                return JSONResponse(
                    {
                        "handoffId": handoff_id,
                        "id": grant.id.get_secret_value(),
                        "url": grant.url.get_secret_value(),
                        "expiresAt": format_time(grant.expires_at),
                    },
                    201,
                )
            case NotOpen():
                raise problem_of_not_open(outcome)
            case Unrecorded(retry_after_seconds=seconds):
                raise AuditUnavailable(
                    "No link was returned, because the access could not be recorded. Retry after Retry-After.",
                    retry_after_seconds=seconds,
                )
            case UpstreamError():
                raise problem_of(outcome)
            case _:
                assert_never(outcome)

    async def review(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/review-snapshot."""
        self._access.admit(request, Permission.AUTHORIZATION_REVIEW)
        authorization_id = path_id(request, "authorizationId")
        context = context_of(request.scope)
        context.log_fields["authorization_id"] = authorization_id
        context.deadline.extend(LIVE_CALL_SECONDS)
        outcome = await self._reviews.read(authorization_id)
        match outcome:
            case Snapshot():
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
