"""The operators' routes about one authorization: each appends a decision to `commands` (decisions 0010 and 0012)."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.query import read_query
from gateway.ingress.api_http.request import path_id, read_json, traceparent
from gateway.ingress.api_http.responses import ModelResponse
from gateway.ingress.auth.names import Decided, parse_with_operator
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.appending import NotAppended
from gateway.ingress.commands.command_log import CommandLog, acceptance_time, problem_of_append
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.commands.places import CallerPlaces
from gateway.ingress.commands.unfinished import PlaceKind
from schemas.api.operator_decisions import (
    DecisionAccepted,
    RecentCommandsAccepted,
    RecentCommandsDecision,
    VersionFloorAccepted,
    VersionFloorDecision,
)
from schemas.api.queries import Query
from schemas.commands import EmptyRecentCommands, LowerVersionFloor
from schemas.identity import request_id
from schemas.records import RecordedCommand


class OperatorDecisions:
    """The endpoints."""

    def __init__(self, access: AccessControl, commands: CommandLog, places: CallerPlaces) -> None:
        self._access = access
        self._commands = commands
        self._places = places

    async def empty_recent_commands(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/recent-commands/empty."""
        return await self._accept(
            request, "empty_recent_commands", RecentCommandsDecision, EmptyRecentCommands, RecentCommandsAccepted
        )

    async def lower_version_floor(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/version-floor/lower."""
        return await self._accept(
            request, "lower_version_floor", VersionFloorDecision, LowerVersionFloor, VersionFloorAccepted
        )

    async def _accept(
        self,
        request: Request,
        name: str,
        model: type[Decided],
        command: type[EmptyRecentCommands | LowerVersionFloor],
        accepted: type[DecisionAccepted],
    ) -> Response:
        caller = self._access.admit(request)
        read_query(request, Query)
        authorization_id = path_id(request, "authorizationId")
        context = context_of(request.scope)
        key = read_key(context.headers.get(b"idempotency-key"))
        decision, operator = parse_with_operator(caller, model, await read_json(request))
        fields = {field: getattr(decision, field) for field in model.model_fields if field != "operator"}
        data = command(requested_by=operator, **fields)
        record_id = request_id(name, caller.name, authorization_id, key)
        accepted_at = acceptance_time()
        record = RecordedCommand(
            id=record_id,
            caller=caller.name,
            authorization_id=authorization_id,
            accepted_at=accepted_at,
            data=data,
            traceparent=traceparent(context),
        )
        serialized = self._commands.serialize(record)
        self._places.take(record_id, caller.name, serialized.partition, PlaceKind.RECORD)
        result = await self._commands.append(serialized)
        if isinstance(result, NotAppended):
            self._places.give_back(record_id)
            raise problem_of_append(result)
        context.log_fields |= {"record_id": record_id, "operator": operator, "reason": data.reason}
        return ModelResponse(
            accepted(record_id=record_id, authorization_id=authorization_id, accepted_at=accepted_at), 202
        )
