"""The command routes: authenticate, read, validate, derive the command's id, accept.

The REST routes and the CloudEvents route end in the same `CommandService.accept`. No command that its model rejects
reaches Kafka.
"""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.auth.names import with_names
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.auth.signed_commands import SignedCommands, is_signed, require_event_id
from gateway.ingress.commands.batches import CommandBatches
from gateway.ingress.commands.command_log import acceptance_time
from gateway.ingress.commands.due_date import require_due_date
from gateway.ingress.commands.envelopes import (
    command_of,
    command_type_of,
    media_type_of,
    read_envelope,
)
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.commands.responses import command_response
from gateway.ingress.commands.service import AcceptedCommand, CommandService
from gateway.ingress.http.context import context_of
from gateway.ingress.http.request import parse, path_id, read_json, wait_seconds
from schemas.cloudevents import BATCH, STRUCTURED
from schemas.commands import AuthorizationWatch, Command, HandoffClose, HandoffCloseBody, HandoffRequest
from schemas.identity import command_id_from_key
from schemas.permissions import COMMAND_PERMISSIONS


class Commands:
    """The endpoints of the command routes."""

    def __init__(
        self,
        access: AccessControl,
        signed: SignedCommands,
        service: CommandService,
        batches: CommandBatches,
        *,
        max_wait_seconds: int,
    ) -> None:
        self._access = access
        self._batches = batches
        self._signed = signed
        self._service = service
        self._max_wait_seconds = max_wait_seconds

    async def request(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs."""
        return await self._accept(request, lambda body: parse(HandoffRequest, body))

    async def close(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/close."""
        handoff_id = path_id(request, "handoffId")
        return await self._accept(request, lambda body: HandoffClose.of(handoff_id, parse(HandoffCloseBody, body)))

    async def watch(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/watch."""
        return await self._accept(request, lambda body: parse(AuthorizationWatch, body))

    async def cloudevent(self, request: Request) -> Response:
        """POST /v1/commands: a command as a CloudEvent, binary or structured, or a batch. Source and id are the key."""
        context = context_of(request.scope)
        if media_type_of(context.headers) == BATCH:
            return await self._batches.accept(request)
        message_id: str | None = None
        if is_signed(context):
            request.scope["user"], body, message_id = await self._signed.read(request, STRUCTURED)
            caller = self._access.identify(request)
        else:
            caller = self._access.admit(request)
            body = await request.body()
        envelope, is_structured = read_envelope(context.headers, body)
        if message_id is not None:
            require_event_id(message_id, envelope.id)
        pointer = "" if is_structured else None
        command_type = command_type_of(envelope, pointer)
        self._access.require(caller, COMMAND_PERMISSIONS[command_type])
        command = command_of(caller, envelope, command_type, pointer)
        seconds = wait_seconds(context, self._max_wait_seconds)
        receipt = await self._service.accept(context, command, seconds, request.receive)
        return command_response(receipt)

    async def _accept(self, request: Request, read: Callable[[bytes], Command]) -> Response:
        caller = self._access.admit(request)
        authorization_id = path_id(request, "authorizationId")
        context = context_of(request.scope)
        key = read_key(context.headers.get(b"idempotency-key"))
        data = with_names(caller, read(await read_json(request)))
        require_due_date(data, acceptance_time())
        command = AcceptedCommand(
            command_id=command_id_from_key(caller.name, authorization_id, key),
            caller=caller.name,
            authorization_id=authorization_id,
            data=data,
            own_handoffs=caller.own_handoffs,
        )
        seconds = wait_seconds(context, self._max_wait_seconds)
        receipt = await self._service.accept(context, command, seconds, request.receive)
        return command_response(receipt)
