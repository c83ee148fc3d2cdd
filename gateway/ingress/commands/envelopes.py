"""CloudEvents that carry a command: read from a request, or from a member of a batch; and their commands.

Pure. The `pointer` of an event is its place in the body: empty for one event, `/3` for the fourth of a batch.
"""

import re
from typing import Any

from gateway.ingress.api_http.api_problems import InvalidCommand
from gateway.ingress.api_http.request import validate
from gateway.ingress.api_http.strict_json import read_object
from gateway.ingress.auth.callers import Caller
from gateway.ingress.commands.accepted_command import AcceptedCommand
from runtime.http_server.port_problems import InvalidHeader, UnsupportedMediaType
from runtime.http_server.problem import Fault, Problem
from schemas.cloudevents import STRUCTURED, CloudEventError, Envelope, from_http, from_members, is_json
from schemas.commands import CALLER_COMMANDS, COMMANDS
from schemas.enums import CommandType
from schemas.fields.scalars import ID_PHRASE, is_id
from schemas.identity import command_id_from_cloudevent

# The codec converts an extension of another type to a string; these attributes must be strings.
_STRING_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "datacontenttype", "time", "dataschema")
_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s;"]*)', re.IGNORECASE)


def read_envelope(headers: dict[bytes, bytes], body: bytes) -> tuple[Envelope, bool]:
    """Return a CloudEvent whose subject is an authorization's id, and whether its mode is structured.

    The event's data is strict JSON: `command_of` can read it.
    """
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    require_utf8(content_type)
    if media_type_of(headers) == STRUCTURED:
        return read_member(read_object(body)), True
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
        raise _invalid_attribute(error.field, error.expected) from None
    _require_command_event(envelope)
    if envelope.data:
        read_object(envelope.data)
    return envelope, False


def read_member(document: Any, pointer: str = "") -> Envelope:
    """Return a structured CloudEvent whose subject is an authorization's id. `document` is strict JSON."""
    if not isinstance(document, dict):
        raise _invalid_attribute("body", "a CloudEvent: a JSON object", pointer)
    for name in _STRING_ATTRIBUTES:
        if not isinstance(document.get(name, ""), str):
            raise _invalid_attribute(name, "a text", pointer)
    try:
        envelope = from_members(document)
    except CloudEventError as error:
        raise _invalid_attribute(error.field, error.expected, pointer) from None
    _require_command_event(envelope, pointer)
    if envelope.data and "data" not in document:  # base64
        read_object(envelope.data)
    return envelope


def command_type_of(envelope: Envelope, pointer: str | None) -> CommandType:
    """Return the type of the event's command. `pointer` is None in binary mode."""
    if envelope.type not in CALLER_COMMANDS:
        raise _invalid_attribute("type", "one of " + ", ".join(sorted(CALLER_COMMANDS)), pointer)
    return CommandType(envelope.type)


def command_of(caller: Caller, envelope: Envelope, command_type: CommandType, pointer: str | None) -> AcceptedCommand:
    """Return the event's command; its source and id are the idempotency key. `pointer` is None in binary mode."""
    assert envelope.subject is not None  # noqa: S101 - both readers check it
    under = "" if pointer is None else f"{pointer}/data"
    data = validate(COMMANDS[command_type], envelope.data or b"{}", under)
    command_id = command_id_from_cloudevent(caller.name, envelope.subject, envelope.source, envelope.id)
    return AcceptedCommand.of(caller, command_id, envelope.subject, data, under)


def media_type_of(headers: dict[bytes, bytes]) -> str:
    """Return the media type of the body, in lower case."""
    return headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()


def require_utf8(content_type: str) -> None:
    """Raise UnsupportedMediaType if the content type names another charset."""
    if any(charset.lower() != "utf-8" for charset in _CHARSET.findall(content_type)):
        raise UnsupportedMediaType(
            "Send the event in UTF-8.", faults=(Fault("charset=utf-8, or no charset", header="Content-Type"),)
        )


def _require_command_event(envelope: Envelope, pointer: str | None = None) -> None:
    if not is_json(envelope.datacontenttype):
        raise UnsupportedMediaType("Send the event's data as application/json.")
    require_utf8(envelope.datacontenttype or "")
    if envelope.subject is None or not is_id(envelope.subject):
        raise _invalid_attribute("subject", f"the authorization's id: {ID_PHRASE}", pointer)


def _invalid_attribute(attribute: str, expected: str, pointer: str | None = None) -> Problem:
    if pointer is not None:
        place = pointer if attribute in {"body", "attributes"} else f"{pointer}/{attribute}"
        return InvalidCommand(
            "Correct the event's attributes named in `errors`. The command was not accepted.",
            faults=(Fault(f"expected {expected}", pointer=place),),
        )
    return InvalidHeader(
        "Correct the event's headers named in `errors`. The command was not accepted.",
        faults=(Fault(f"expected {expected}", header=f"ce-{attribute}"),),
    )
