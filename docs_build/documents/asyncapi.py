"""The AsyncAPI 3.1 document, made from the models and the topics. It is for subscribers and for auditors of `commands`.

The `state` topic is left out because it is private to the worker.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from docs_build.documents.json_schema import component_schemas, without_key
from schemas.authorization import AuthorizationRecord
from schemas.cloudevents import SEQUENCE_DIGITS, sequence_text
from schemas.commands import COMMANDS
from schemas.dead_letter import DeadLetter, DeadLetterEnded
from schemas.enums import PREFIX
from schemas.events import EVENTS
from schemas.model import Message
from schemas.permissions import OWN_HANDOFFS
from schemas.public_fields import is_public, public_part
from schemas.records import schema_uri, source
from schemas.topics import Topic, catalogue

VERSION = "1.0.0"
_BINDING_VERSION = "0.5.0"

_TEXT = {"type": "string"}
_ENVELOPE: Mapping[str, Mapping[str, Any]] = {
    "ce_specversion": {"const": "1.0", "type": "string"},
    "ce_id": {"type": "string", "format": "uuid"},
    "ce_source": {
        "type": "string",
        "format": "uri-reference",
        "description": "The installation: `/collate-gateway/` and the environment.",
    },
    "ce_type": _TEXT,
    "ce_subject": {"type": "string", "description": "The authorization id."},
    "ce_time": {"type": "string", "format": "date-time"},
    "content-type": {"const": "application/json", "type": "string"},
    "traceparent": {"type": "string", "description": "The W3C trace context, if the cause was traced."},
}
_SEALED = {
    "type": "string",
    "description": "The complete data as a compact JWE (dir, A256GCM). The others are the public part: a field of "
    "the class phi is absent, or has a placeholder.",
}
_NUMBERED_SOURCE = {
    "ce_source": {
        "type": "string",
        "format": "uri-reference",
        "description": "The scope of `sequence`: the installation, `/authorizations/`, and the authorization id.",
    },
}
_NUMBER = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_SEQUENCE = {"type": "string", "pattern": f"^[0-9]{{{SEQUENCE_DIGITS}}}$"}
_ORDER = f"It has {SEQUENCE_DIGITS} digits with leading zeros, so that texts and numbers have the same order."
_DATASCHEMA = {
    "ce_dataschema": {
        "type": "string",
        "format": "uri",
        "description": "The `$id` of the published JSON Schema of the data.",
    }
}
_EXTENSIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "command": {
        "ce_caller": {"type": "string", "description": "The caller that sent the command."},
        "ce_handoffs": {
            "const": OWN_HANDOFFS,
            "type": "string",
            "description": "Present if the caller may close only the handoffs that it opened.",
        },
        "ce_redrive": _NUMBER | {"description": "The number of the redrive of a dead-lettered command."},
    },
    "event": {
        **_NUMBERED_SOURCE,
        **_DATASCHEMA,
        "ce_sequence": _SEQUENCE
        | {"description": f"The number of the event within its authorization, without gaps. {_ORDER}"},
        "ce_causationid": {"type": "string", "description": "The command that caused the event, if there is one."},
        "ce_correlationid": {
            "type": "string",
            "description": "The first command of the flow, through redrives: the request that opened the handoff, if "
            "the gateway knows it, else the command that caused the event. Absent without one.",
        },
    },
    "authorization": {
        **_NUMBERED_SOURCE,
        **_DATASCHEMA,
        "ce_sequence": _SEQUENCE | {"description": f"The number of the last event that this state includes. {_ORDER}"},
    },
    "deadLetter": {**_DATASCHEMA},
}
_NEEDED = {
    "command": ["ce_caller", "ce_subject"],
    "event": ["ce_sequence", "ce_subject"],
    "authorization": ["ce_sequence", "ce_subject"],
    "deadLetter": [],
}
_ALWAYS = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"]


def asyncapi() -> dict[str, Any]:
    """Return the document, with topics under the default prefix."""
    topics = catalogue(PREFIX)
    channels: dict[str, tuple[Topic, str, tuple[type[Message], ...]]] = {
        "commands": (topics.commands, "command", tuple(COMMANDS.values())),
        "events": (topics.events, "event", tuple(EVENTS.values())),
        "authorizations": (topics.authorizations, "authorization", (AuthorizationRecord,)),
        "deadLetters": (topics.dead_letters, "deadLetter", (DeadLetter, DeadLetterEnded)),
    }
    models = [(kind, model) for _, kind, models in channels.values() for model in models]
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Collate handoff gateway",
            "version": VERSION,
            "description": (
                "Records are CloudEvents 1.0 over Kafka, binary mode; read with isolation.level=read_committed. "
                "New fields, event types and words of a vocabulary appear without notice: ignore unknown ones. "
                "A new subscriber notes the end offsets of events, and reads authorizations to its end. Then it reads "
                "events from those offsets, and skips each sequence that it already has."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(topic, models) for name, (topic, _, models) in channels.items()},
        "operations": dict(chain.from_iterable(_operations(name, topic) for name, (topic, _, _) in channels.items())),
        "components": {
            "messages": {model.__name__: _message(kind, model) for kind, model in models},
            "schemas": _schemas(models) | {f"{kind}Headers": _headers(kind) for kind in _EXTENSIONS},
        },
    }


def _channel(topic: Topic, models: Iterable[type[Message]]) -> dict[str, Any]:
    configuration: dict[str, Any] = {"cleanup.policy": [topic.config["cleanup.policy"]]}
    if not topic.is_compacted:
        configuration["retention.ms"] = int(topic.config["retention.ms"])
    return {
        "address": topic.name,
        "title": topic.role,
        "description": f"{topic.purpose} Only {topic.writer} writes it; the key is the authorization id.",
        "messages": {model.__name__: {"$ref": f"#/components/messages/{model.__name__}"} for model in models},
        "bindings": {"kafka": {"topicConfiguration": configuration, "bindingVersion": _BINDING_VERSION}},
    }


def _operations(channel: str, topic: Topic) -> Iterable[tuple[str, dict[str, Any]]]:
    # The gateway writes all channels. It reads `commands` too.
    yield (
        f"{topic.writer}.{channel}",
        {
            "action": "send",
            "channel": {"$ref": f"#/channels/{channel}"},
            "summary": topic.purpose,
        },
    )
    if channel == "commands":
        yield (
            "worker.commands",
            {
                "action": "receive",
                "channel": {"$ref": "#/channels/commands"},
                "summary": "Apply the commands in order.",
            },
        )


def _message(kind: str, model: type[Message]) -> dict[str, Any]:
    name = str(model.TYPE)
    message: dict[str, Any] = {
        "name": name,
        "title": model.__name__,
        "summary": (model.__doc__ or "").strip(),
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{kind}Headers"},
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": _BINDING_VERSION}},
    }
    if kind == "event":
        message["correlationId"] = {"location": "$message.header#/ce_correlationid"}
    headers = _example_headers(kind, name)
    payload = dict(model.EXAMPLE)
    if kind == "command" and not is_public(model):
        shown = public_part(model.from_caller(json.dumps(payload)))
        payload = json.loads(shown.to_json()) | {"sealed": "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.dGV4dA.dGFn"}
    return message | {"examples": [{"name": "typical", "headers": headers, "payload": payload}]}


def _example_headers(kind: str, name: str) -> dict[str, str]:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "0a5d6a3c-6a9e-5b0d-8a6e-2f6a4f0f9d11",
        "ce_source": source("local"),
        "ce_type": name,
        "ce_subject": "auth_7Q2M",
        "ce_time": "2026-06-02T14:06:01Z",
        "content-type": "application/json",
    }
    own = {
        "ce_source": f"{source('local')}/authorizations/auth_7Q2M",
        "ce_dataschema": schema_uri(name),
        "ce_caller": "intake",
        "ce_sequence": sequence_text(9),
        "ce_causationid": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        "ce_correlationid": "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
    }
    return headers | {header: value for header, value in own.items() if header in _EXTENSIONS[kind]}


def _headers(kind: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**_ENVELOPE, **_EXTENSIONS[kind]},
        "required": [*_ALWAYS, *_NEEDED[kind]],
    }


def _schemas(models: Iterable[tuple[str, type[Message]]]) -> dict[str, Any]:
    """Return the component schemas of all models."""
    schemas: dict[str, Any] = {}
    for kind, model in models:
        # OpenAPI's discriminator has another meaning in AsyncAPI. The variants' constants identify them too.
        found = without_key(component_schemas(model), "discriminator")
        if kind == "command" and not is_public(model):
            own = found[model.__name__]
            own["properties"]["sealed"] = _SEALED
            own["required"] = [*own["required"], "sealed"]
        schemas |= found
    return schemas
