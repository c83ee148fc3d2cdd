"""The command routes: authenticate, read, validate, derive the command's id, accept.

The REST routes and the CloudEvents route end in the same `CommandService.accept`. No command that its model rejects
reaches Kafka.
"""

import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.auth.signed_commands import SignedCommands, is_signed, require_event_id
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.commands.responses import command_response
from gateway.ingress.commands.service import AcceptedCommand, CommandService
from gateway.ingress.http.context import context_of
from gateway.ingress.http.problem import Fault, Problem
from gateway.ingress.http.problems import InvalidCommand, InvalidHeader, UnsupportedMediaType
from gateway.ingress.http.request import ID_PHRASE, parse, path_id, read_body, read_json, wait_seconds
from gateway.ingress.http.strict_json import read_object
from schemas.cloudevents import STRUCTURED, CloudEventError, Envelope, from_http, is_json
from schemas.commands import (
    COMMANDS,
    PUBLIC_COMMANDS,
    AuthorizationWatch,
    Command,
    HandoffClose,
    HandoffCloseBody,
    HandoffRequest,
)
from schemas.enums import CommandType
from schemas.field_types import is_id
from schemas.identity import command_id_from_cloudevent, command_id_from_key

PERMISSIONS = {
    CommandType.HANDOFF_REQUEST: Permission.HANDOFF_REQUEST,
    CommandType.HANDOFF_CLOSE: Permission.HANDOFF_CLOSE,
    CommandType.AUTHORIZATION_WATCH: Permission.AUTHORIZATION_WATCH,
}
# The codec converts an extension of another type to a string; these attributes must be strings.
_STRING_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "datacontenttype", "time", "dataschema")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]*)', re.IGNORECASE)


class Commands:
    """The endpoints of the command routes."""

    def __init__(
        self, access: AccessControl, signed: SignedCommands, service: CommandService, *, max_wait_seconds: int
    ) -> None:
        self._access = access
        self._signed = signed
        self._service = service
        self._max_wait_seconds = max_wait_seconds

    async def request(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs."""
        return await self._accept(request, HandoffRequest, lambda body: parse(HandoffRequest, body))

    async def close(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/close."""
        handoff_id = path_id(request, "handoffId")
        return await self._accept(
            request, HandoffClose, lambda body: HandoffClose.of(handoff_id, parse(HandoffCloseBody, body))
        )

    async def watch(self, request: Request) -> Response:
        """POST /v1/authorizations/{authorizationId}/watch."""
        return await self._accept(request, AuthorizationWatch, lambda body: parse(AuthorizationWatch, body))

    async def cloudevent(self, request: Request) -> Response:
        """POST /v1/commands: a command as a CloudEvent, binary or structured. Its source and id are the key."""
        context = context_of(request.scope)
        message_id: str | None = None
        if is_signed(context):
            request.scope["user"], body, message_id = await self._signed.read(request)
            caller = self._access.admit(request)
        else:
            caller = self._access.admit(request)
            body = await read_body(request.receive)
        envelope, is_structured = read_envelope(context.headers, body)
        if message_id is not None:
            require_event_id(message_id, envelope.id)
        command_type = _command_type(envelope.type, is_structured=is_structured)
        self._access.require(caller, PERMISSIONS[command_type])
        assert envelope.subject is not None  # noqa: S101 - read_envelope checks it
        command = AcceptedCommand(
            command_id=command_id_from_cloudevent(caller.name, envelope.subject, envelope.source, envelope.id),
            caller=caller.name,
            authorization_id=envelope.subject,
            data=parse(COMMANDS[command_type], envelope.data or b"{}", under="/data" if is_structured else ""),
        )
        seconds = wait_seconds(context, self._max_wait_seconds)
        receipt = await self._service.accept(context, command, seconds, request.receive)
        return command_response(receipt)

    async def _accept(self, request: Request, model: type[Command], read: Callable[[bytes], Command]) -> Response:
        caller = self._access.admit(request, PERMISSIONS[model.TYPE])
        authorization_id = path_id(request, "authorizationId")
        context = context_of(request.scope)
        key = read_key(context.headers.get(b"idempotency-key"))
        command = AcceptedCommand(
            command_id=command_id_from_key(caller.name, authorization_id, key),
            caller=caller.name,
            authorization_id=authorization_id,
            data=read(await read_json(request)),
        )
        seconds = wait_seconds(context, self._max_wait_seconds)
        receipt = await self._service.accept(context, command, seconds, request.receive)
        return command_response(receipt)


def read_envelope(headers: dict[bytes, bytes], body: bytes) -> tuple[Envelope, bool]:
    """Return a CloudEvent whose subject is an authorization's id, and whether its mode is structured."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    _require_utf8(content_type)
    is_structured = content_type.partition(";")[0].strip().lower() == STRUCTURED
    if is_structured:
        document = read_object(body)
        for name in _STRING_ATTRIBUTES:
            if not isinstance(document.get(name, ""), str):
                raise _invalid_attribute(name, "a text", is_structured=True)
    try:
        envelope = from_http(
            ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.items()), body
        )
    except CloudEventError as error:
        if error.field == "content-type":
            raise UnsupportedMediaType(
                f"Send {STRUCTURED}, or application/json with ce- headers.",
                faults=(Fault(f"expected {error.expected}", header="Content-Type"),),
            ) from None
        raise _invalid_attribute(error.field, error.expected, is_structured=is_structured) from None
    if not is_json(envelope.datacontenttype):
        raise UnsupportedMediaType("Send the event's data as application/json.")
    _require_utf8(envelope.datacontenttype or "")
    if envelope.subject is None or not is_id(envelope.subject):
        raise _invalid_attribute("subject", f"the authorization's id: {ID_PHRASE}", is_structured=is_structured)
    return envelope, is_structured


def _require_utf8(content_type: str) -> None:
    if any(charset.lower() != "utf-8" for charset in _CHARSET.findall(content_type)):
        raise UnsupportedMediaType(
            "Send the event in UTF-8.", faults=(Fault("charset=utf-8, or no charset", header="Content-Type"),)
        )


def _command_type(event_type: str, *, is_structured: bool) -> CommandType:
    if event_type not in PUBLIC_COMMANDS:
        expected = "one of " + ", ".join(sorted(PUBLIC_COMMANDS))
        raise _invalid_attribute("type", expected, is_structured=is_structured)
    return CommandType(event_type)


def _invalid_attribute(attribute: str, expected: str, *, is_structured: bool) -> Problem:
    if is_structured:
        pointer = "" if attribute in {"body", "attributes"} else f"/{attribute}"
        return InvalidCommand(
            "Correct the event's attributes named in `errors`. The command was not accepted.",
            faults=(Fault(f"expected {expected}", pointer=pointer),),
        )
    return InvalidHeader(
        "Correct the event's headers named in `errors`. The command was not accepted.",
        faults=(Fault(f"expected {expected}", header=f"ce-{attribute}"),),
    )
