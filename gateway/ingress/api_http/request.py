"""Readers of the parts of a request: ids of the path, the body as a model, preferences, the trace.

Nothing is filled in for the caller, so that a retry has the same bytes.
"""

import re
from typing import Final, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import Receive

from gateway.ingress.api_http.api_problems import InvalidCommand, InvalidParameter, MalformedJson
from gateway.ingress.api_http.context import RequestContext, context_of
from gateway.ingress.api_http.strict_json import read_object
from runtime.http_server.port_problems import UnsupportedMediaType
from runtime.http_server.problem import Fault, Problem
from schemas.api.faults import faults
from schemas.cloudevents.attributes import valid_traceparent
from schemas.fields.scalars import ID_PHRASE, is_command_id, is_id
from schemas.model import Model

_JSON_TYPE = re.compile(rb'application/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)
_WAIT = re.compile(rb'wait\s*=\s*(?:"(\d{1,4})"|(\d{1,4}))\s*(?:;.*)?', re.IGNORECASE)
_MOST_WAIT_SECONDS: Final = 30

Parsed = TypeVar("Parsed", bound=Model)


def path_id(request: Request, name: str) -> str:
    """Return an id of Collate from the path. Raises InvalidParameter."""
    value: str = request.path_params[name]
    if not is_id(value):
        raise InvalidParameter("Send an id as Collate returns it.", faults=(Fault(ID_PHRASE, parameter=name),))
    return value


def path_command_id(request: Request) -> str:
    """Return the command id from the path and add it to the log line. Raises InvalidParameter."""
    value: str = request.path_params["commandId"]
    if not is_command_id(value):
        raise InvalidParameter(
            "Send the commandId of a 202 response.", faults=(Fault("a UUID", parameter="commandId"),)
        )
    context_of(request.scope).log_fields["command_id"] = value
    return value


async def read_json(request: Request) -> bytes:
    """Read the body; an empty body is an empty object. Raises UnsupportedMediaType for another media type than JSON."""
    body = await request.body()
    content_type = context_of(request.scope).headers.get(b"content-type")
    if content_type is None and not body:
        return b"{}"
    if content_type is None or not _JSON_TYPE.fullmatch(content_type):
        raise UnsupportedMediaType(
            "Send the body as application/json, in UTF-8.",
            faults=(Fault("application/json", header="Content-Type"),),
        )
    return body or b"{}"


async def read_body(request: Request, model: type[Parsed]) -> Parsed:
    """Read and parse the body. Raises like `read_json` and `parse`."""
    return parse(model, await read_json(request))


def parse(model: type[Parsed], body: bytes, under: str = "") -> Parsed:
    """Parse a body. Raises MalformedJson, or InvalidCommand with a pointer per field, each below `under`."""
    read_object(body)
    return validate(model, body, under)


def validate(model: type[Parsed], body: bytes, under: str = "") -> Parsed:
    """Parse a body that `read_object` has read. Raises like `parse`."""
    try:
        return model.from_caller(body)
    except ValidationError as error:
        raise _problem_of_validation(error, under) from None


def _problem_of_validation(error: ValidationError, under: str) -> Problem:
    if error.errors(include_url=False, include_context=False, include_input=False)[0]["type"] == "json_invalid":
        return MalformedJson("Send complete characters: the body has a string that can't be decoded.")
    return invalid_command(
        *(Fault(f"expected {fault.expected}", pointer=under + fault.pointer) for fault in faults(error))
    )


def invalid_command(*faults: Fault) -> InvalidCommand:
    """Return the problem of a command with these faults."""
    return InvalidCommand("Correct the fields named in `errors`. The command was not accepted.", faults=faults)


def wait_seconds(context: RequestContext) -> int:
    """Return the seconds of `Prefer: wait` (RFC 7240), at most 30; 0 without the preference.

    RFC 7240 section 2: unknown preferences are ignored, and the first of several equal preferences counts.
    """
    header = context.headers.get(b"prefer")
    if header is None:
        return 0
    for preference in header.split(b","):
        if match := _WAIT.fullmatch(preference.strip()):
            return min(int(match.group(1) or match.group(2)), _MOST_WAIT_SECONDS)
    return 0


def traceparent(context: RequestContext) -> str | None:
    """Return the request's W3C trace context, if it is well-formed."""
    value = context.headers.get(b"traceparent")
    return None if value is None else valid_traceparent(value.decode("latin-1"))


async def disconnected(receive: Receive) -> None:
    """Return when the client has closed its connection. Pieces of a body of any size are dropped."""
    while True:
        try:
            if (await receive())["type"] == "http.disconnect":
                return
        except Problem:
            continue
