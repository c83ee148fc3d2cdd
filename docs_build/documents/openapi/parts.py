"""Parts that the paths of the OpenAPI document share: parameters, headers, links, responses and bodies.

Each part is a component with a name. The paths refer to it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from docs_build.documents.openapi.components import component_schemas, reference
from schemas.api.messages import (
    MOST_BATCH_BYTES,
    AccessProblemDetails,
    CommandAccepted,
    CommandOutcome,
    ProblemDetails,
)
from schemas.api.operation import JSON, ApiOperation
from schemas.api.queries import OperatorQuery, OrderedQuery, PageQuery, Query
from schemas.fields.scalars import Id
from schemas.model import Model

Json = dict[str, Any]

IDENTIFIER: Json = TypeAdapter(Id).json_schema()
UUID: Json = {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_TEXT: Json = {"type": "string"}

# The name of the component, and the description.
_PROBLEMS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("BadRequest", "The JSON, a header or the path is invalid. `errors` names the place."),
    401: (
        "Unauthenticated",
        "The credential is missing or unknown, or a signature is not accepted here, or a person must sign in again.",
    ),
    403: ("Forbidden", "The caller lacks the permission."),
    404: ("NotFound", "Not found."),
    408: ("RequestTimeout", "The body did not arrive in time."),
    409: ("Conflict", "Not possible now; `reason` has the reason."),
    413: (
        "ContentTooLarge",
        f"The body is larger than 64 KiB, or a batch of commands larger than {MOST_BATCH_BYTES >> 10} KiB.",
    ),
    414: ("UriTooLong", "The URL is longer than 4 KiB."),
    415: ("UnsupportedMediaType", "The media type is not supported."),
    422: ("UnprocessableContent", "The body does not fit its schema, or the key was used with another body before."),
    429: (
        "TooManyRequests",
        "The caller exceeds its rate, or has too many requests without a response, or too many unfinished commands.",
    ),
    431: ("HeadersTooLarge", "The request has more than 64 headers, or more than 16 KiB of headers."),
    500: ("InternalError", "Internal error."),
    501: ("TransferCodingUnknown", "The transfer coding of the body is not `chunked`."),
    502: ("CollateUnusable", "Collate's response is not usable."),
    503: (
        "Unavailable",
        "Not available now. 503 means unknown. With `kept: no` this try was not stored; an earlier try may have been.",
    ),
    504: ("GatewayTimeout", "The request took too long. As with 503, retry with the same key."),
    505: ("HttpVersionUnknown", "The HTTP version is not 1.0 or 1.1."),
}
_WITH_RETRY_AFTER = frozenset({429, 503, 504})
_FOR_ALL_ROUTES = (414, 431, 501, 505)
# The responses that several operations have, or could have, by their model.
_RESPONSES: Final[Mapping[type[Model] | None, str]] = {
    CommandOutcome: "CommandFinished",
    CommandAccepted: "CommandStored",
    AccessProblemDetails: "AccessConflict",
}


def parameter(place: str, name: str, schema: Json, description: str) -> Json:
    """Return a parameter; `place` is path, query or header. Only a path parameter is required here."""
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }


_KEY: Final[Json] = parameter(
    "header",
    "Idempotency-Key",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": r'^([!#-+\--\[\]-~]+|"([ !#-\[\]-~]|\\["\\])+")$',
    },
    "A new key for each command, the same key for its retries; quoted or unquoted.",
) | {"example": "8e03978e-40d5-43e8-bc93-6894a57f9324"}


def _of_query(model: type[Query]) -> dict[str, Json]:
    """Return the parameters of a query by their names."""
    found: dict[str, Json] = {}
    described = component_schemas([model])[model.__name__]
    for name, shown in described.get("properties", {}).items():
        schema = {key: value for key, value in shown.items() if key not in {"default", "description", "x-data-class"}}
        if "const" in schema:  # generators make a type of an enum only
            schema["enum"] = [schema.pop("const")]
        found[name] = parameter("query", name, schema, shown["description"])
        found[name]["required"] = name in described.get("required", ())
        if schema.get("type") == "object":  # each pair is a parameter of its own
            found[name] |= {"style": "form", "explode": True}
    return found


PARAMETERS: Final[Mapping[str, Json]] = {
    "AuthorizationId": parameter("path", "authorizationId", IDENTIFIER, "Collate's id of the authorization."),
    "CommandId": parameter("path", "commandId", UUID, "The commandId of the 202."),
    "Cursor": _of_query(PageQuery)["cursor"],
    "HandoffId": parameter("path", "handoffId", IDENTIFIER, "Collate's id of the handoff."),
    "IdempotencyKey": _KEY | {"required": True},
    "IfNoneMatch": parameter("header", "If-None-Match", _TEXT, "The ETag of an earlier response."),
    "LastEventId": parameter(
        "header",
        "Last-Event-ID",
        {"type": "string", "pattern": r"^([0-9]{1,18}(\.[0-9]{1,18})*)?$"},
        "The id of the last event received; empty means none.",
    ),
    "Limit": _of_query(PageQuery)["limit"],
    "Operator": _of_query(OperatorQuery)["operator"],
    "OptionalIdempotencyKey": _KEY,
    "Order": _of_query(OrderedQuery)["order"],
    "Prefer": parameter(
        "header",
        "Prefer",
        _TEXT,
        "`wait=N` (RFC 7240): respond 200 with the outcome if the command ends within N seconds, at most 30. The "
        "response is 202 at once if the command becomes a dead letter, if too many requests wait, or if the client "
        "closes its side.",
    ),
    "RequestId": parameter(
        "header",
        "X-Request-Id",
        _TEXT,
        "The response and the log repeat it if it has at most 64 characters of A-Z a-z 0-9 . _ -.",
    ),
}

_HEADERS: Final[Mapping[str, Json]] = {
    "ETag": {"schema": _TEXT, "description": "For If-None-Match: 304 if nothing has changed."},
    "IdempotencyReplayed": {"schema": _TEXT, "description": "`true` for a retry of a known command."},
    "Location": {"schema": _TEXT, "description": "The URL of the command's status, if a read model is installed."},
    "PreferenceApplied": {"schema": _TEXT, "description": "`wait=N` if the gateway waited."},
    "RetryAfter": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."},
}

_OF_THE_HANDOFF: Final = {
    "authorizationId": "$response.body#/authorizationId",
    "handoffId": "$response.body#/handoffId",
}
_LINKS: Final[Mapping[str, Json]] = {
    "StatusOfCommand": {
        "operationId": "readCommand",
        "parameters": {"commandId": "$response.body#/commandId"},
        "description": "The status of the command, if a read model is installed.",
    },
    "GrantForHandoff": {
        "operationId": "createAccessGrant",
        "parameters": _OF_THE_HANDOFF,
        "description": "A link into the payer session of the handoff, if `handoffId` is present.",
    },
    "CloseOfHandoff": {
        "operationId": "closeHandoff",
        "parameters": _OF_THE_HANDOFF,
        "description": "The close of the handoff, if `handoffId` is present.",
    },
    "CloseOfGrantedHandoff": {
        "operationId": "closeHandoff",
        "parameters": {
            "authorizationId": "$request.path.authorizationId",
            "handoffId": "$response.body#/handoffId",
        },
        "description": "The close of the handoff after the work in the payer session.",
    },
    "HandoffOfReview": {
        "operationId": "requestHandoff",
        "parameters": {"authorizationId": "$response.body#/authorizationId"},
        "description": "The handoff after the acceptance; `acceptedReviewSnapshotId` is `/reviewSnapshot/id`.",
    },
}


def used_parameters(*names: str) -> list[Json]:
    """Return references to parameters."""
    return [_component("parameters", name, PARAMETERS) for name in names]


def headers(**names: str) -> Json:
    """Return references to headers. `names`: the component of each header, with `_` for `-` in the header's name."""
    return {header.replace("_", "-"): _component("headers", name, _HEADERS) for header, name in names.items()}


def links(**names: str) -> Json:
    """Return references to links. `names`: the component of each link."""
    return {link: _component("links", name, _LINKS) for link, name in names.items()}


def parameters_of(operation: ApiOperation) -> list[Json]:
    """Return the parameters of an operation: those of the path, of the query and the headers."""
    in_path = [name[0].upper() + name[1:] for name in re.findall(r"{(\w+)}", operation.path)]
    query = [] if operation.query is None else _of_query(operation.query).values()
    shared = [name for name, known in PARAMETERS.items() if known in query]
    own = [each for each in query if each not in PARAMETERS.values()]
    return [*used_parameters(*in_path), *own, *used_parameters(*shared, *operation.headers)]


def answers_of(operation: ApiOperation) -> Json:
    """Return the responses of an operation that are no plain problems, by status."""
    found: Json = {"304": _response("NotModified")} if operation.has_etag else {}
    for status, model in operation.answers.items():
        found[str(status)] = _response(_RESPONSES[model]) if model in _RESPONSES else _answer(operation, model)
    return found


def _answer(operation: ApiOperation, model: type[Model] | None) -> Json:
    # A stream's schema has no type: some tools apply it to the whole text, others to one event.
    without_model = {"type": "object"} if operation.media_type == JSON else {"description": "The events in order."}
    schema = without_model if model is None else reference(model.__name__)
    response: Json = {
        "description": operation.told or operation.summary,
        "content": {operation.media_type: {"schema": schema}},
    }
    if operation.has_etag:
        response["headers"] = headers(ETag="ETag")
    following = links(**operation.links)
    if operation.query is not None and "cursor" in operation.query.model_fields:
        following["next"] = {
            "operationId": operation.id,
            "parameters": {"cursor": "$response.body#/next"},
            "description": "The next page, if `next` is present.",
        }
    return response | ({"links": following} if following else {})


def json_body(model: type[Model], *, is_required: bool) -> Json:
    """Return a request body."""
    return {"required": is_required, "content": {JSON: {"schema": reference(model.__name__)}}}


def json_response(description: str, model: type[Model], examples: Json | None = None, **more: Json) -> Json:
    """Return a response with a JSON body. `more`: its `headers` and `links`."""
    content = {"schema": reference(model.__name__)} | ({"examples": examples} if examples else {})
    return {"description": description, "content": {JSON: content}, **more}


def problems(statuses: Iterable[int]) -> Json:
    """Return the problem responses for these statuses, and for those that every route has."""
    return {str(status): _response(_PROBLEMS[status][0]) for status in sorted({*statuses, *_FOR_ALL_ROUTES})}


def components() -> Json:
    """Return the shared parts as components."""
    return {"parameters": PARAMETERS, "headers": _HEADERS, "links": _LINKS, "responses": _responses()}


def _responses() -> Json:
    finished = json_response(
        "The command has finished, with any outcome.",
        CommandOutcome,
        headers=headers(Idempotency_Replayed="IdempotencyReplayed", Preference_Applied="PreferenceApplied"),
        links=links(status="StatusOfCommand", grant="GrantForHandoff", close="CloseOfHandoff"),
    )
    stored = json_response(
        "The command is stored; it will end with one `command.finished`. A status `dead_lettered` is not the end.",
        CommandAccepted,
        headers=headers(
            Idempotency_Replayed="IdempotencyReplayed", Preference_Applied="PreferenceApplied", Location="Location"
        ),
        links=links(status="StatusOfCommand"),
    )
    return {
        "CommandFinished": finished,
        "CommandStored": stored,
        "NotModified": {"description": "Nothing has changed since the ETag in If-None-Match."},
        **{name: problem(status) for status, (name, _) in _PROBLEMS.items()},
        "AccessConflict": problem(409, AccessProblemDetails),
    }


def problem(status: int, model: type[Model] = ProblemDetails, examples: Json | None = None) -> Json:
    """Return the problem response of one status."""
    content = {"schema": reference(model.__name__)} | ({"examples": examples} if examples else {})
    response: Json = {"description": _PROBLEMS[status][1], "content": {"application/problem+json": content}}
    if status in _WITH_RETRY_AFTER:
        response["headers"] = headers(Retry_After="RetryAfter")
    return response


def _response(name: str) -> Json:
    return {"$ref": f"#/components/responses/{name}"}


def _component(kind: str, name: str, known: Mapping[str, Json]) -> Json:
    if name not in known:
        raise KeyError(f"there is no component {name} among the {kind}")
    return {"$ref": f"#/components/{kind}/{name}"}
