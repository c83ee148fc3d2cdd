"""From a request to a kept command: admit, read, check, derive its id, append, answer.

The REST routes and CloudEvents end in the same `_keep`. Nothing reaches Kafka that the models would refuse, and nothing
is filled in for the caller: a retry has the same bytes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.idempotency import read_key
from gateway.ingress.commands.service import AcceptedCommand, CommandService
from gateway.ingress.http.exchange import Answer, Exchange
from gateway.ingress.http.preferences import wait_seconds
from gateway.ingress.http.problem import Fault, Problem
from gateway.ingress.http.problems import (
    InvalidCommand,
    InvalidHeader,
    InvalidParameter,
    MalformedJson,
    UnsupportedMediaType,
)
from gateway.ingress.http.strict_json import read_object
from schemas.api.faults import faults
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
from schemas.field_types import PHRASES, is_id
from schemas.identity import command_id_from_cloudevent, command_id_from_key
from schemas.model import Model

PERMISSIONS = {
    CommandType.HANDOFF_REQUEST: Permission.HANDOFF_REQUEST,
    CommandType.HANDOFF_CLOSE: Permission.HANDOFF_CLOSE,
    CommandType.AUTHORIZATION_WATCH: Permission.AUTHORIZATION_WATCH,
}
Parsed = TypeVar("Parsed", bound=Model)
# Of an extension the codec makes a text; of these nothing else will do.
_TEXTS = ("specversion", "id", "source", "type", "subject", "datacontenttype", "time", "dataschema")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]*)', re.IGNORECASE)
_ID_PHRASE = next(iter(PHRASES.values()))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a request may take of us."""

    max_body: int
    deadline_seconds: float
    max_wait_seconds: int


class Commands:
    """The handlers behind the command routes."""

    def __init__(self, gate: AccessControl, keeper: CommandService, bounds: Bounds) -> None:
        self._gate = gate
        self._keeper = keeper
        self._bounds = bounds

    async def request(self, exchange: Exchange) -> Answer:
        """POST /v1/authorizations/{authorizationId}/handoffs."""
        return await self._rest(exchange, HandoffRequest, lambda body: parse(HandoffRequest, body))

    async def close(self, exchange: Exchange) -> Answer:
        """POST /v1/authorizations/{authorizationId}/handoffs/{handoffId}/close."""
        handoff_id = path_id(exchange, "handoffId")
        return await self._rest(
            exchange, HandoffClose, lambda body: HandoffClose.of(handoff_id, parse(HandoffCloseBody, body))
        )

    async def watch(self, exchange: Exchange) -> Answer:
        """POST /v1/authorizations/{authorizationId}/watch."""
        return await self._rest(exchange, AuthorizationWatch, lambda body: parse(AuthorizationWatch, body))

    async def cloudevent(self, exchange: Exchange) -> Answer:
        """POST /v1/commands: any of the three as a CloudEvent, binary or structured; its source and id are the key."""
        caller = self._gate.admit(exchange)
        body = await exchange.body(self._bounds.max_body, self._bounds.deadline_seconds)
        envelope, is_structured = read_envelope(exchange, body)
        command_type = _where(envelope.type, is_structured)
        self._gate.require(caller, PERMISSIONS[command_type])
        assert envelope.subject is not None  # noqa: S101 - read_envelope has seen to it
        asked = AcceptedCommand(
            command_id=command_id_from_cloudevent(caller.name, envelope.subject, envelope.source, envelope.id),
            caller=caller.name,
            authorization_id=envelope.subject,
            data=parse(COMMANDS[command_type], envelope.data or b"{}", under="/data" if is_structured else ""),
        )
        return await self._keeper.keep(exchange, asked, self._wait(exchange))

    async def _rest(self, exchange: Exchange, model: type[Command], read: Callable[[bytes], Command]) -> Answer:
        caller = self._gate.admit(exchange, PERMISSIONS[model.TYPE])
        authorization_id = path_id(exchange, "authorizationId")
        key = exchange.signed_id or read_key(exchange.headers.get(b"idempotency-key"))
        body = await exchange.body(self._bounds.max_body, self._bounds.deadline_seconds)
        exchange.require_json(body)
        asked = AcceptedCommand(
            command_id=command_id_from_key(caller.name, authorization_id, key),
            caller=caller.name,
            authorization_id=authorization_id,
            data=read(body or b"{}"),
        )
        return await self._keeper.keep(exchange, asked, self._wait(exchange))

    def _wait(self, exchange: Exchange) -> int:
        return wait_seconds(exchange.headers.get(b"prefer"), self._bounds.max_wait_seconds)


def path_id(exchange: Exchange, name: str) -> str:
    """Return an id from the path; raises InvalidParameter."""
    value = exchange.path[name]
    if not is_id(value):
        raise InvalidParameter("Send an id as Collate gives it.", faults=(Fault(_ID_PHRASE, parameter=name),))
    return value


def parse(model: type[Parsed], body: bytes, under: str = "") -> Parsed:
    """Read a body into its model; raises MalformedJson or InvalidCommand with a pointer per field."""
    read_object(body)
    try:
        return model.from_caller(body)
    except ValidationError as error:
        if error.errors(include_url=False, include_context=False, include_input=False)[0]["type"] == "json_invalid":
            raise MalformedJson("Send JSON of whole characters: a string can't be read.") from None
        raise InvalidCommand(
            "Correct the fields named in `errors`; nothing was kept.",
            faults=tuple(Fault(f"expected {fault.expected}", pointer=under + fault.pointer) for fault in faults(error)),
        ) from None


def read_envelope(exchange: Exchange, body: bytes) -> tuple[Envelope, bool]:
    """Read a CloudEvent with a subject that is an authorization's id, and say whether it was structured."""
    content_type = exchange.headers.get(b"content-type", b"").decode("latin-1")
    _require_utf8(content_type)
    is_structured = content_type.partition(";")[0].strip().lower() == STRUCTURED
    if is_structured:
        document = read_object(body)
        for name in _TEXTS:
            if not isinstance(document.get(name, ""), str):
                raise _wrong(name, "a text", is_structured=True)
    try:
        envelope = from_http(
            ((name.decode("latin-1"), value.decode("latin-1")) for name, value in exchange.headers.items()), body
        )
    except CloudEventError as error:
        if error.field == "content-type":
            raise UnsupportedMediaType(
                f"Send {STRUCTURED}, or application/json with ce- headers.",
                faults=(Fault(f"expected {error.expected}", header="Content-Type"),),
            ) from None
        raise _wrong(error.field, error.expected, is_structured=is_structured) from None
    if not is_json(envelope.datacontenttype):
        raise UnsupportedMediaType("Send the event's data as application/json.")
    _require_utf8(envelope.datacontenttype or "")
    if envelope.subject is None or not is_id(envelope.subject):
        raise _wrong("subject", f"the authorization's id: {_ID_PHRASE}", is_structured=is_structured)
    return envelope, is_structured


def _require_utf8(content_type: str) -> None:
    if any(charset.lower() != "utf-8" for charset in _CHARSET.findall(content_type)):
        raise UnsupportedMediaType(
            "Send the event in UTF-8.", faults=(Fault("charset=utf-8, or no charset", header="Content-Type"),)
        )


def _where(event_type: str, is_structured: bool) -> CommandType:  # noqa: FBT001 - as in the envelope
    if event_type not in PUBLIC_COMMANDS:
        expected = "one of " + ", ".join(sorted(PUBLIC_COMMANDS))
        raise _wrong("type", expected, is_structured=is_structured)
    return CommandType(event_type)


def _wrong(attribute: str, expected: str, *, is_structured: bool) -> Problem:
    if is_structured:
        pointer = "" if attribute in {"body", "attributes"} else f"/{attribute}"
        return InvalidCommand(
            "Correct the event's attributes named in `errors`; nothing was kept.",
            faults=(Fault(f"expected {expected}", pointer=pointer),),
        )
    return InvalidHeader(
        "Correct the event's headers named in `errors`; nothing was kept.",
        faults=(Fault(f"expected {expected}", header=f"ce-{attribute}"),),
    )
