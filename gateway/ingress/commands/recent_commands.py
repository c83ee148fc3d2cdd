"""The operators' route that lets the worker forget an authorization's recent commands (decision 0010)."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.command_log import CommandLog, acceptance_time, problem_of_append
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.commands.publisher import NotAppended
from gateway.ingress.http.context import context_of
from gateway.ingress.http.query import read_query
from gateway.ingress.http.request import parse, path_id, read_json, traceparent
from gateway.ingress.http.responses import ModelResponse
from schemas.api.recent_commands import RecentCommandsAccepted, RecentCommandsDecision
from schemas.commands import EmptyRecentCommands
from schemas.identity import request_id
from schemas.records import RecordedCommand


class RecentCommands:
    """The endpoint."""

    def __init__(self, access: AccessControl, commands: CommandLog) -> None:
        self._access = access
        self._commands = commands

    async def empty(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/recent-commands/empty."""
        caller = self._access.admit(request, Permission.OPERATE)
        read_query(request)
        authorization_id = path_id(request, "authorizationId")
        context = context_of(request.scope)
        key = read_key(context.headers.get(b"idempotency-key"))
        decision = parse(RecentCommandsDecision, await read_json(request))
        record_id = request_id("empty_recent_commands", caller.name, authorization_id, key)
        accepted_at = acceptance_time()
        record = RecordedCommand(
            id=record_id,
            caller=caller.name,
            authorization_id=authorization_id,
            accepted_at=accepted_at,
            data=EmptyRecentCommands(
                of_caller=decision.of_caller,
                requested_by=decision.operator,
                reason=decision.reason,
                ticket=decision.ticket,
                why=decision.why,
            ),
            traceparent=traceparent(context),
        )
        result = await self._commands.append(self._commands.serialize(record))
        if isinstance(result, NotAppended):
            raise problem_of_append(result)
        context.log_fields |= {"record_id": record_id, "operator": decision.operator, "reason": decision.reason.value}
        accepted = RecentCommandsAccepted(
            record_id=record_id, authorization_id=authorization_id, accepted_at=accepted_at
        )
        return ModelResponse(accepted, 202)
