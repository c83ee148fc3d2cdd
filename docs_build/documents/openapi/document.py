"""The OpenAPI 3.1 document of the ingress, made from the operations and their models.

`make clients` generates clients from it. CloudEvents' binary mode is described in prose: see `cloudevents`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from docs_build.documents.openapi.cloudevents import SIGNATURE_SCHEMES, event_schemas, send_command
from docs_build.documents.openapi.components import component_schemas, with_names_of_words
from docs_build.documents.openapi.examples import EXAMPLES
from docs_build.documents.openapi.parts import (
    Json,
    answers_of,
    components,
    json_body,
    parameters_of,
    problems,
)
from schemas.api.messages import ProblemDetails
from schemas.api.operation import ApiOperation
from schemas.api.operations import OPERATIONS
from schemas.commands import CALLER_COMMANDS

if TYPE_CHECKING:
    from schemas.model import Model

VERSION: Final = "1.0.0"
"""The version of the contract, not of the gateway: docs/changing.md has the rule, a test checks it."""

_TAGS: Final[Json] = {
    "commands": "Request and close handoffs, watch authorizations, and read the status of commands.",
    "sessions": "Live calls for the people who work in a payer session: grants, review, evidence. They are not queued.",
    "authorizations": "The work list, authorizations, handoffs and timelines from the read model.",
    "events": "What happened, as a stream of CloudEvents.",
    "dead-letters": "Commands that wait for an operator's decision. They need the permission `operate`.",
    "operators": "The state of the gateway, and decisions of operators about one authorization.",
    "caller": "The caller and its permissions.",
    "documents": "The published documents. They need no credential.",
}


def openapi(operations: Sequence[ApiOperation] = OPERATIONS) -> Json:
    """Return the document."""
    paths: Json = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Collate handoff gateway",
            "version": VERSION,
            "description": (
                "The gateway stores a command in Kafka and responds 202. The outcome is on the events topic, in "
                "GET /v1/events, or in the response itself with `Prefer: wait`. New fields appear without notice: "
                "ignore unknown ones. Errors are RFC 9457 problems and never repeat the request's values. "
                "`info.version` is the version of this contract: a minor version adds to it, a patch changes words."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"credential": []}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            **components(),
            "securitySchemes": {
                "credential": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The API key of your service (`cgk_…`), or a token of a trusted issuer, of "
                    "your service or of a person.",
                },
                **SIGNATURE_SCHEMES,
            },
        },
    }


def _described(operation: ApiOperation) -> Json:
    """Return an operation as the document has it."""
    needs = f"Needs the permission `{operation.permissions[0]}`." if len(operation.permissions) == 1 else ""
    omitted = "" if operation.without_phi is None else ", except with `{}={}`".format(*operation.without_phi)
    factor = f"A person needs the sign-in that `[[people]]` demands{omitted}." if operation.needs_second_factor else ""
    described: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": " ".join(filter(None, (needs, factor, operation.description))),
        "security": [] if operation.is_public else None,
        "parameters": parameters_of(operation) or None,
        "requestBody": operation.body and json_body(operation.body, is_required=operation.is_body_required),
        "responses": answers_of(operation) | problems(operation.problems),
    }
    if operation.id == "sendCommand":
        described = send_command(described)
    return {key: value for key, value in described.items() if value not in (None, "")}


def _schemas(operations: Sequence[ApiOperation]) -> Json:
    models: list[type[Model]] = [ProblemDetails, *(CALLER_COMMANDS[name] for name in sorted(CALLER_COMMANDS))]
    for operation in operations:
        models += filter(None, (operation.body, *operation.answers.values()))
    queries = {operation.query for operation in operations if operation.query is not None}
    words = component_schemas(sorted(queries, key=lambda query: query.__name__))
    found = component_schemas(models) | event_schemas()
    found |= {name: schema for name, schema in words.items() if name not in {query.__name__ for query in queries}}
    for name, example in EXAMPLES.items():
        found[name]["examples"] = [example]
    return with_names_of_words(dict(sorted(found.items())))
