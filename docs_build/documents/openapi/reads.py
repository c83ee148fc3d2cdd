"""The read routes of the OpenAPI document."""

from collections.abc import Mapping

from pydantic import TypeAdapter

from docs_build.documents.openapi.components import reference
from docs_build.documents.openapi.parts import (
    IDENTIFIER,
    Json,
    headers,
    json_response,
    links,
    next_page,
    parameter,
    problems,
    unchanged,
    used_parameters,
)
from schemas.api.lists import AuthorizationList, CommandList, Needs
from schemas.api.reads import AuthorizationStatus, CommandStatus, HandoffList, Overview, Timeline
from schemas.fields.scalars import METADATA_PAIRS, MetadataValue
from schemas.fields.visible_text import SentName
from schemas.model import Model

_STATUSES = (400, 401, 403, 404, 429, 500, 503, 504)
_TIME: Json = {"type": "string", "format": "date-time"}
_TEXT: Json = TypeAdapter(SentName).json_schema()
_METADATA: Json = parameter(
    "query",
    "metadata",
    {
        "type": "object",
        "propertyNames": {"type": "string", "pattern": r"^metadata\.[A-Za-z0-9._-]{1,64}$"},
        "additionalProperties": TypeAdapter(MetadataValue).json_schema(),
        "maxProperties": METADATA_PAIRS,
    },
    "Pairs that the metadata of a command must have, each as a parameter of its own: `metadata.case=case-0042`.",
) | {"style": "form", "explode": True}
_TAGS = {"readCommand": "commands", "listCommands": "commands", "readOverview": "operators"}
_FOLLOWING = {"readCommand": {"links": links(grant="GrantForHandoff", close="CloseOfHandoff")}}

# The words of parameters, as components: generators make a type of each.
PARAMETER_WORDS: Mapping[str, Json] = {
    "CommandState": {
        "description": "The states of a command; the end of its life is `finished`.",
        "enum": ["accepted", "waiting", "dead_lettered", "finished"],
    },
    "HandoffState": {"description": "The states of a handoff.", "enum": ["active", "closed"]},
    "Needs": {"description": str(Needs.__doc__), "enum": [need.value for need in Needs]},
    "Order": {"description": "Which entries come first.", "enum": ["oldest", "newest"]},
}


def read_paths() -> Json:
    """Return the paths."""
    at = {"type": "string", "pattern": "^[0-9]{1,9}-[0-9]{1,18}$"}
    history = {"type": "string", "enum": ["1h"]}
    return {
        "/v1/commands/{commandId}": _get(
            "readCommand",
            "The status of a command: your own, or any with authorization:read.",
            CommandStatus,
            *used_parameters("CommandId"),
            parameter(
                "query",
                "at",
                at,
                "From the Location of the 202: `accepted` instead of 404 until the command is in the read model.",
            ),
        ),
        "/v1/authorizations/{authorizationId}": _get(
            "readAuthorization",
            "The status of an authorization.",
            AuthorizationStatus,
            *used_parameters("AuthorizationId"),
        ),
        "/v1/authorizations/{authorizationId}/timeline": _get(
            "readTimeline",
            "The commands, attempts and events of an authorization, in order.",
            Timeline,
            *used_parameters("AuthorizationId", "Order"),
            _since("The earliest time of an entry."),
            *used_parameters("Limit", "Cursor"),
        ),
        "/v1/handoffs": _get(
            "listHandoffs",
            "Handoffs in one state, by the time of the opening or the end.",
            HandoffList,
            parameter("query", "state", reference("HandoffState"), "active (the default) or closed."),
            *used_parameters("Order"),
            _since("The earliest time of the opening or the end."),
            *used_parameters("Limit", "Cursor"),
        ),
        "/v1/authorizations": _get(
            "listAuthorizations",
            "The work list: authorizations that need work, the longest wait first.",
            AuthorizationList,
            parameter(
                "query",
                "needs",
                reference("Needs"),
                "person (the default): Collate waits for a person, or a handoff is open. handoff: a handoff is to be "
                "opened. contradicted: the last report contradicts the payer.",
            ),
            parameter("query", "payer", IDENTIFIER, "Collate's id of the payer."),
            parameter("query", "claimedBy", _TEXT, "Who has the open handoff in hand: a caller, or `none`."),
            parameter("query", "caller", _TEXT, "A caller that has sent one of its last 100 commands."),
            _METADATA,
            _since("The earliest `waitingSince`."),
            _before("The `waitingSince` is earlier than this time: the wait is longer."),
            *used_parameters("Limit", "Cursor"),
        ),
        "/v1/commands": _get(
            "listCommands",
            "Commands by acceptance: your own, or all with authorization:read.",
            CommandList,
            parameter("query", "authorizationId", IDENTIFIER, "Collate's id of the authorization."),
            parameter("query", "status", reference("CommandState"), "The status of the commands."),
            parameter(
                "query", "reason", {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"}, "The reason of the status."
            ),
            parameter("query", "caller", _TEXT, "The caller that sent the commands."),
            _METADATA,
            *used_parameters("Order"),
            _since("The earliest time of acceptance."),
            _before("The time of acceptance is earlier than this time."),
            *used_parameters("Limit", "Cursor"),
        ),
        "/v1/overview": _get(
            "readOverview",
            "The state of the whole gateway.",
            Overview,
            parameter("query", "history", history, "`1h`: also the counts of each minute of the last hour."),
        ),
    }


def _since(description: str) -> Json:
    return parameter("query", "since", _TIME, description)


def _before(description: str) -> Json:
    return parameter("query", "before", _TIME, description)


def _get(name: str, summary: str, model: type[Model], *parameters: Json) -> Json:
    more = {"headers": headers(ETag="ETag")} | next_page(name, parameters) | _FOLLOWING.get(name, {})
    return {
        "get": {
            "operationId": name,
            "tags": [_TAGS.get(name, "authorizations")],
            "summary": summary,
            "description": "503 while the read model is not available, 404 without a read model. "
            "Neither affects commands.",
            "parameters": [*parameters, *used_parameters("IfNoneMatch")],
            "responses": {"200": json_response(summary, model, **more)} | unchanged() | problems(_STATUSES),
        }
    }
