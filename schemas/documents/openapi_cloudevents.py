"""The route of commands as CloudEvents in the OpenAPI document: one event in structured mode, or a batch.

CloudEvents' binary mode is described in prose: OpenAPI cannot require certain headers for one media type only.
"""

from collections.abc import Iterable

from schemas.api.messages import BatchedCommands
from schemas.commands import COMMANDS, PUBLIC_COMMANDS
from schemas.documents.openapi_parts import (
    IDENTIFIER,
    PREFER,
    REQUEST_ID,
    Json,
    command_responses,
    json_response,
    problems,
)

# CloudEvents 1.0 section 3.1: the text of an attribute and the name of an extension.
_ATTRIBUTE = {"type": "string", "minLength": 1, "pattern": r"^[^\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]*$"}
_EXTENSION = "^[a-z0-9]{1,64}$"
_BATCH_HEADERS: Json = {
    "Retry-After": {
        "schema": {"type": "integer", "minimum": 1},
        "description": "Seconds until every event may be sent again, if there are events to send again.",
    }
}


def cloudevents(rejections: Iterable[int]) -> Json:
    """Return the route of commands as CloudEvents. `rejections`: the statuses of its problems."""
    variants = [_event_schema(name) for name in sorted(PUBLIC_COMMANDS)]
    return {
        "operationId": "sendCommand",
        "summary": "Send any command as a CloudEvent 1.0.",
        "description": (
            "This describes structured mode. Binary mode is accepted too: the data as application/json, the attributes "
            "as `ce-` headers. `source` and `id` are the idempotency key; `subject` is the authorization's id. "
            "Structured mode may be signed instead of carrying an API key or a token: see `signature`. A batch has at "
            "most 100 events and 512 KiB, and gets 207 with a result for each event, unless the whole body is "
            "rejected. Each event is a command of its own, needs its own permission and counts as a request of the "
            "caller's rate. Events of one authorization are stored in their order. After a failure send the whole "
            "batch or the events without 202 again: repeats are the same commands. `Prefer: wait` has no effect on a "
            "batch."
        ),
        "security": [{"credential": []}, {"signature": []}],
        "parameters": [PREFER, REQUEST_ID],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {
                    "schema": {"oneOf": variants},
                    "example": {
                        "specversion": "1.0",
                        "id": "7d1f0c9a",
                        "source": "/scheduling",
                        "type": "collate-gateway.authorization.watch.v1",
                        "subject": "auth_7Q2M",
                        "data": {},
                    },
                },
                "application/cloudevents-batch+json": {
                    "schema": {"type": "array", "maxItems": 100, "items": {"oneOf": variants}}
                },
            },
        },
        "responses": command_responses()
        | {"207": json_response("The result of each event of a batch.", BatchedCommands, _BATCH_HEADERS)}
        | problems(rejections),
    }


def _event_schema(name: str) -> Json:
    needs_data = any(field.is_required() for field in COMMANDS[name].model_fields.values())
    extension = [_ATTRIBUTE | {"minLength": 0}, {"type": "boolean"}, {"type": "integer", "format": "int32"}]
    return {
        "type": "object",
        "propertyNames": {"pattern": _EXTENSION},
        "additionalProperties": {"anyOf": [*extension, {"type": "null"}]},
        "properties": {
            "specversion": {"const": "1.0"},
            "id": _ATTRIBUTE,
            "source": _ATTRIBUTE,
            "type": {"const": name},
            "subject": IDENTIFIER,
            "datacontenttype": {"const": "application/json"},
            "data": {"$ref": f"#/components/schemas/{COMMANDS[name].__name__}"},
        },
        "required": ["specversion", "id", "source", "type", "subject", *(["data"] if needs_data else [])],
    }
