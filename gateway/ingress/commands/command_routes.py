"""The command routes: authenticate, read, validate, derive the command's id, accept.

The REST routes and the CloudEvents route end in the same `CommandService.accept`. No command that its model rejects
reaches Kafka.
"""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.request import Parsed, path_id, read_body
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.auth.signed_commands import SignedCommands, is_signed, require_event_id
from gateway.ingress.commands.accepted_command import AcceptedCommand
from gateway.ingress.commands.batches import CommandBatches
from gateway.ingress.commands.envelopes import (
    command_of,
    command_type_of,
    media_type_of,
    read_envelope,
)
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.commands.responses import command_response
from gateway.ingress.commands.service import CommandService
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
    ) -> None:
        self._access = access
        self._batches = batches
        self._signed = signed
        self._service = service

    async def request(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs."""
        return await self._accept(request, HandoffRequest, _unchanged)

    async def close(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/close."""
        handoff_id = path_id(request, "handoffId")
        return await self._accept(request, HandoffCloseBody, partial(HandoffClose.of, handoff_id))

    async def watch(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/watch."""
        return await self._accept(request, AuthorizationWatch, _unchanged)

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
        return command_response(await self._service.accept(request, command))

    async def _accept(self, request: Request, model: type[Parsed], of_body: Callable[[Parsed], Command]) -> Response:
        caller = self._access.admit(request)
        authorization_id = path_id(request, "authorizationId")
        key = read_key(context_of(request.scope).headers.get(b"idempotency-key"))
        data = of_body(await read_body(request, model))
        command_id = command_id_from_key(caller.name, authorization_id, key)
        command = AcceptedCommand.of(caller, command_id, authorization_id, data)
        return command_response(await self._service.accept(request, command))


def _unchanged(command: Command) -> Command:
    return command
