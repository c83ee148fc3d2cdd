"""Decisions about many dead letters by filter, in bounded steps (docs/decisions/0006).

The operator sends the count and the digest of the dead letters that they saw. While these match, a request decides the
oldest ones, at most MAX_DECISIONS, and returns count and digest of the others, behind a cursor. So a run continues
after any interruption, and a dead letter that the operator has not seen is never decided.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.api_problems import DeadLettersChanged, InvalidCommand, NotRedrivable
from gateway.ingress.api_http.context import RequestContext, context_of
from gateway.ingress.api_http.deadlines import LIVE_CALL_SECONDS
from gateway.ingress.api_http.query import read_query
from gateway.ingress.api_http.request import read_json
from gateway.ingress.api_http.responses import ModelResponse
from gateway.ingress.auth.names import parse_with_operator
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.dead_letters.actions import DeadLetterActions, discard_of, redrive_of
from gateway.ingress.dead_letters.index import IndexEntry, after, digest_of
from gateway.ingress.dead_letters.reader import DeadLetterGone, DeadLetterReader
from runtime.http_server.port_problems import Unavailable
from runtime.http_server.problem import Fault
from schemas.api.cursor import CursorInvalid, read_cursor, write_cursor
from schemas.api.dead_letters import DeadLetterDecision, DeadLetterDecisions, DeadLettersDecided, NotDecided
from schemas.api.queries import Query
from schemas.sealing import Keys

if TYPE_CHECKING:
    from schemas.commands import Discard, Redrive

MAX_DECISIONS = 20


class BulkDecisions:
    """The endpoint."""

    def __init__(self, access: AccessControl, reader: DeadLetterReader, actions: DeadLetterActions, keys: Keys) -> None:
        self._access = access
        self._reader = reader
        self._actions = actions
        self._keys = keys

    async def decide(self, request: Request) -> Response:
        """POST /v1/dead-letters/decisions."""
        caller = self._access.admit(request)
        read_query(request, Query)
        body, operator = parse_with_operator(caller, DeadLetterDecisions, await read_json(request))
        context = context_of(request.scope)
        context.deadline.extend(LIVE_CALL_SECONDS)
        self._reader.require_caught_up()
        entries = after(await self._reader.index.matching(body.selection, datetime.now(UTC)), _after(body))
        if len(entries) != body.count or await digest_of(entries) != body.digest:
            raise DeadLettersChanged(
                "Nothing was decided. List the dead letters again, then decide.", members={"matching": len(entries)}
            )
        decided: list[str] = []
        left_out: list[NotDecided] = []
        done = 0
        for entry in entries[:MAX_DECISIONS]:
            try:
                problem = await self._decide_one(context, body, operator, caller.name, entry)
            except Unavailable:
                if not done:
                    raise
                break
            done += 1
            if problem is None:
                decided.append(entry.summary.command_id)
            else:
                left_out.append(NotDecided(command_id=entry.summary.command_id, problem=problem))
        rest = entries[done:]
        context.log_fields |= {"operator": operator, "reason": body.reason.value, "ticket": body.ticket}
        context.log_fields |= {"decided": len(decided), "remaining": len(rest)}
        return ModelResponse(
            DeadLettersDecided(
                decided=decided,
                not_decided=left_out,
                remaining=len(rest),
                digest=await digest_of(rest),
                next=write_cursor(*entries[done - 1].order) if rest else None,
            )
        )

    async def _decide_one(
        self, context: RequestContext, body: DeadLetterDecisions, operator: str, caller: str, entry: IndexEntry
    ) -> str | None:
        """Append the decision about one dead letter; return the problem of one that cannot be decided so."""
        summary = entry.summary
        if summary.authorization_id is None:
            return "no_authorization"
        decision = DeadLetterDecision(reason=body.reason, ticket=body.ticket, why=body.why, redrive=summary.redrive)
        action: Redrive | Discard
        if body.decision == "discard":
            action = discard_of(summary.command_id, decision, operator)
        elif not summary.can_redrive:
            return "not_redrivable"
        else:
            try:
                dead_letter = await self._reader.fetch(entry)
                action = redrive_of(summary.command_id, dead_letter, decision, operator, self._keys)
            except DeadLetterGone:
                return "expired"
            except NotRedrivable:
                return "not_redrivable"
        await self._actions.append(context, summary.authorization_id, caller, action)
        return None


def _after(body: DeadLetterDecisions) -> tuple[datetime, str] | None:
    if body.after is None:
        return None
    try:
        at, command_id = read_cursor(body.after, datetime, str)
    except CursorInvalid:
        raise InvalidCommand(
            "Correct the fields named in `errors`. Nothing was decided.",
            faults=(Fault("expected `next` of the previous response", pointer="/after"),),
        ) from None
    return at, command_id
