"""The live calls over HTTP: access grants and the review snapshot, and every refusal as a problem a UI can act on."""

import json
from typing import assert_never

from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.commands.routes import parse, path_id
from gateway.ingress.http.exchange import Answer, Exchange
from gateway.ingress.http.problems import AuditUnavailable, NoReviewSnapshot
from gateway.ingress.live.grants import Grants, Wanted
from gateway.ingress.live.outcomes import Granted, NoSnapshot, NotOpen, Snapshot, Unrecorded, UpstreamError
from gateway.ingress.live.problems import problem_of, problem_of_not_open
from gateway.ingress.live.review import Reviews
from schemas.api.messages import AccessGrantBody
from schemas.times import format_time

# Two reads, a mint and its record, each with its own shorter time.
LIVE_SECONDS = 30.0
_JSON = (b"content-type", b"application/json")


class LiveCalls:
    """The handlers behind the live routes."""

    def __init__(self, gate: AccessControl, grants: Grants, reviews: Reviews, *, max_body: int) -> None:
        self._gate = gate
        self._grants = grants
        self._reviews = reviews
        self._max_body = max_body

    async def grant(self, exchange: Exchange) -> Answer:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/access-grants; `active` is the running one."""
        caller = self._gate.admit(exchange, Permission.HANDOFF_GRANT)
        authorization_id, handoff_id = path_id(exchange, "authorizationId"), path_id(exchange, "handoffId")
        key = exchange.headers.get(b"idempotency-key")
        retry_key = exchange.signed_id or (None if key is None else read_key(key))
        body = await exchange.body(self._max_body, LIVE_SECONDS)
        exchange.require_json(body)
        operator = parse(AccessGrantBody, body or b"{}").operator
        exchange.facts.fields |= {"authorization_id": authorization_id, "handoff_id": handoff_id, "operator": operator}
        exchange.extend(LIVE_SECONDS)
        outcome = await self._grants.mint(Wanted(authorization_id, handoff_id, operator, caller.name, retry_key))
        match outcome:
            case Granted(handoff_id=handoff_id, grant=grant):
                exchange.facts.fields["handoff_id"] = handoff_id
                return _json(
                    201,
                    {
                        "handoffId": handoff_id,
                        "id": grant.id.get_secret_value(),
                        "url": grant.url.get_secret_value(),
                        "expiresAt": format_time(grant.expires_at),
                    },
                )
            case NotOpen():
                raise problem_of_not_open(outcome)
            case Unrecorded(retry_after_seconds=seconds):
                raise AuditUnavailable(
                    "No link was given out, because it could not be put on record. Ask again, after Retry-After.",
                    retry_after_seconds=seconds,
                )
            case UpstreamError():
                raise problem_of(outcome)
            case _:
                assert_never(outcome)

    async def review(self, exchange: Exchange) -> Answer:
        """GET /v1/authorizations/{authorizationId}/review-snapshot."""
        self._gate.admit(exchange, Permission.AUTHORIZATION_REVIEW)
        authorization_id = path_id(exchange, "authorizationId")
        exchange.facts.fields["authorization_id"] = authorization_id
        exchange.extend(LIVE_SECONDS)
        outcome = await self._reviews.read(authorization_id)
        match outcome:
            case Snapshot():
                head: dict[str, object] = {"authorizationId": outcome.authorization_id, "version": outcome.version}
                if outcome.covers_review_snapshot_id is not None:
                    head["coversReviewSnapshotId"] = outcome.covers_review_snapshot_id
                # Collate's own bytes of the snapshot, so that what is reviewed is what was sent.
                body = json.dumps(head).encode()[:-1] + b', "reviewSnapshot": ' + outcome.snapshot.to_json() + b"}"
                return Answer(200, body, [_JSON])
            case NoSnapshot():
                raise NoReviewSnapshot(
                    "There is nothing to review now. Read again when the authorization asks for an action."
                )
            case UpstreamError():
                raise problem_of(outcome)
            case _:
                assert_never(outcome)


def _json(status: int, document: dict[str, object]) -> Answer:
    return Answer(status, json.dumps(document).encode(), [_JSON])
