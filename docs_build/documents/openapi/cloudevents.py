"""The route of commands as CloudEvents in the OpenAPI document: one event in structured mode, or a batch.

CloudEvents' binary mode is described in prose: OpenAPI cannot require certain headers for one media type only, and a
generated client that may choose application/json sends the event without its attributes.
"""

from collections.abc import Iterable, Mapping

from docs_build.documents.openapi.components import reference
from docs_build.documents.openapi.examples import BATCH_EXAMPLES, EVENT_EXAMPLES, RESULT_EXAMPLES, SIGNED_PROBLEMS
from docs_build.documents.openapi.parts import (
    IDENTIFIER,
    Json,
    command_responses,
    headers,
    json_response,
    problem,
    problems,
    used_parameters,
)
from schemas.api.messages import BatchedCommands
from schemas.commands import COMMANDS, PUBLIC_COMMANDS

# CloudEvents 1.0 section 3.1: the text of an attribute and the name of an extension.
_TEXT_PATTERN = {"pattern": r"^[^\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]*$"}
_ATTRIBUTE = {"type": "string", "minLength": 1} | _TEXT_PATTERN
_EXTENSION = "^[a-z0-9]{1,64}$"

_EVENTS: Mapping[str, str] = {f"{COMMANDS[name].__name__}Event": name for name in sorted(PUBLIC_COMMANDS)}

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


def cloudevents(rejections: Iterable[int]) -> Json:
    """Return the route of commands as CloudEvents. `rejections`: the statuses of its problems."""
    return {
        "operationId": "sendCommand",
        "tags": ["commands"],
        "summary": "Send any command as a CloudEvent 1.0.",
        "description": (
            "This describes structured mode. Binary mode is accepted too: the data as application/json, the attributes "
            "as `ce-` headers; its responses are those of structured mode. `source` and `id` are the idempotency key; "
            "`subject` is the authorization's id. Structured mode may be signed instead of carrying an API key or a "
            "token: see `signature`. A batch has at most 100 events and 512 KiB, and gets 207 with a result for each "
            "event, unless the whole body is rejected. Each event is a command of its own, needs its own permission "
            "and counts as a request of the caller's rate. Events of one authorization are stored in their order. "
            "After a failure send the whole batch or the events without 202 again: repeats are the same commands. "
            "`Prefer: wait` has no effect on a batch."
        ),
        "security": [{"credential": []}, {scheme: [] for scheme in SIGNATURE_SCHEMES}],
        "parameters": used_parameters("Prefer", "RequestId"),
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
        "responses": command_responses()
        | {
            "207": json_response(
                "The result of each event of a batch. `Retry-After`: until every event may be sent again, if there "
                "are events to send again.",
                BatchedCommands,
                examples=RESULT_EXAMPLES,
                headers=headers(Retry_After="RetryAfter"),
            )
        }
        | problems(rejections)
        | {"400": _problem(400), "401": _problem(401)},
    }


def _problem(status: int) -> Json:
    """Return a problem response that also shows the problems of a signed request."""
    return problem(status, examples=SIGNED_PROBLEMS[status])


def _event_schema(event: str, name: str) -> Json:
    model = COMMANDS[name]
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
