"""The route of commands as CloudEvents in the OpenAPI document: one event in structured mode, or a batch.

CloudEvents' binary mode is described in prose: OpenAPI cannot require certain headers for one media type only, and a
generated client that may choose application/json sends the event without its attributes.
"""

from collections.abc import Mapping

from docs_build.documents.openapi.components import reference
from docs_build.documents.openapi.examples import BATCH_EXAMPLES, EVENT_EXAMPLES, RESULT_EXAMPLES, SIGNED_PROBLEMS
from docs_build.documents.openapi.parts import (
    IDENTIFIER,
    Json,
    headers,
    json_response,
    problem,
)
from schemas.api.messages import BatchedCommands
from schemas.commands import CALLER_COMMANDS

# CloudEvents 1.0 section 3.1: the text of an attribute and the name of an extension.
_TEXT_PATTERN = {"pattern": r"^[^\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]*$"}
_ATTRIBUTE = {"type": "string", "minLength": 1} | _TEXT_PATTERN
_EXTENSION = "^[a-z0-9]{1,64}$"

_EVENTS: Mapping[str, str] = {f"{CALLER_COMMANDS[name].__name__}Event": name for name in sorted(CALLER_COMMANDS)}

# All schemes of one way apply together. `signature` alone proves the caller.
SIGNATURE_SCHEMES: Mapping[str, Json] = {
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "A Standard Webhooks signature, only for a structured CloudEvent or a batch to POST "
        "/v1/commands: it covers the body, but not the method, path and query.",
    },
    "signatureId": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-id",
        "description": "The event's `id`; for a batch, an id of its own. The signature covers it.",
    },
    "signatureTime": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-timestamp",
        "description": "The time of the signature in seconds since 1970, at most 5 minutes old. The signature covers "
        "it.",
    },
    "signer": {
        "type": "apiKey",
        "in": "query",
        "name": "caller",
        "description": "The name of the caller that signed. The first `caller` of the query counts.",
    },
}


def event_schemas() -> Json:
    """Return the component schemas of the events that carry a command."""
    return {
        "CommandEvent": {
            "title": "CommandEvent",
            "description": "A command as a CloudEvent in structured mode; its `type` selects the data.",
            "oneOf": [reference(event) for event in _EVENTS],
            "discriminator": {
                "propertyName": "type",
                "mapping": {name: reference(event)["$ref"] for event, name in _EVENTS.items()},
            },
        },
        "CommandEventBatch": {
            "title": "CommandEventBatch",
            "description": "Commands as a batch of CloudEvents.",
            "type": "array",
            "maxItems": 100,
            "items": reference("CommandEvent"),
        },
        **{event: _event_schema(event, name) for event, name in _EVENTS.items()},
    }


def send_command(operation: Json) -> Json:
    """Return the operation `sendCommand` with its two media types, its signatures and their problems."""
    batch = json_response(
        "The result of each event of a batch. `Retry-After`: until every event may be sent again, if there are events "
        "to send again.",
        BatchedCommands,
        examples=RESULT_EXAMPLES,
        headers=headers(Retry_After="RetryAfter"),
    )
    return operation | {
        "security": [{"credential": []}, {scheme: [] for scheme in SIGNATURE_SCHEMES}],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": reference("CommandEvent"), "examples": EVENT_EXAMPLES},
                "application/cloudevents-batch+json": {
                    "schema": reference("CommandEventBatch"),
                    "examples": BATCH_EXAMPLES,
                },
            },
        },
        "responses": operation["responses"]
        | {"207": batch}
        | {str(status): problem(status, examples=examples) for status, examples in SIGNED_PROBLEMS.items()},
    }


def _event_schema(event: str, name: str) -> Json:
    model = CALLER_COMMANDS[name]
    needs_data = any(field.is_required() for field in model.model_fields.values())
    return {
        "title": event,
        "description": f"A CloudEvent with the command: {str(model.__doc__).strip().partition(chr(10))[0]}",
        "type": "object",
        "propertyNames": {"type": "string", "pattern": _EXTENSION},
        # TypeScript's index signature of `additionalProperties` would have to fit `data` too.
        "unevaluatedProperties": {"type": ["string", "boolean", "integer", "null"], "format": "int32"} | _TEXT_PATTERN,
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": _ATTRIBUTE,
            "source": _ATTRIBUTE,
            "type": {"type": "string", "const": name},
            "subject": IDENTIFIER,
            "datacontenttype": {"type": "string", "const": "application/json"},
            "data": reference(model.__name__),
        },
        "required": ["specversion", "id", "source", "type", "subject", *(["data"] if needs_data else [])],
    }
