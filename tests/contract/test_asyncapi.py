"""asyncapi.json by the structure of AsyncAPI 3.0.0.

The document was also checked once against the official JSON Schemas of 3.0.0 and 3.1.0 and by the official parser:
no error.
"""

import json
import re

import pytest
from jsonschema import Draft7Validator

from schemas import publish
from schemas.asyncapi import asyncapi
from schemas.commands import COMMANDS
from schemas.events import EVENTS
from schemas.topics import catalogue

DOCUMENT = json.loads(publish.read("asyncapi.json"))
# Fixed fields of the specification's objects; anything else must begin with x-.
ALLOWED = {
    "root": {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"},
    "info": {"title", "version", "description", "termsOfService", "contact", "license", "tags", "externalDocs"},
    "channel": {
        "address",
        "messages",
        "title",
        "summary",
        "description",
        "servers",
        "parameters",
        "tags",
        "externalDocs",
        "bindings",
    },
    "operation": {
        "action",
        "channel",
        "title",
        "summary",
        "description",
        "security",
        "tags",
        "externalDocs",
        "bindings",
        "traits",
        "messages",
        "reply",
    },
    "message": {
        "headers",
        "payload",
        "correlationId",
        "contentType",
        "name",
        "title",
        "summary",
        "description",
        "tags",
        "externalDocs",
        "bindings",
        "examples",
        "traits",
    },
    "components": {
        "schemas",
        "servers",
        "channels",
        "operations",
        "messages",
        "securitySchemes",
        "serverVariables",
        "parameters",
        "correlationIds",
        "replies",
        "replyAddresses",
        "externalDocs",
        "tags",
        "operationTraits",
        "messageTraits",
        "serverBindings",
        "channelBindings",
        "operationBindings",
        "messageBindings",
    },
    "example": {"name", "summary", "headers", "payload"},
    "kafka channel": {"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"},
    "kafka message": {"key", "schemaIdLocation", "schemaIdPayloadEncoding", "schemaLookupStrategy", "bindingVersion"},
}
COMPONENT_NAME = re.compile(r"[A-Za-z0-9._-]+")


def target(reference):
    at = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        at = at[part.replace("~1", "/").replace("~0", "~")]
    return at


def walk(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def fits(kind, value):
    return {key for key in value if not key.startswith("x-")} <= ALLOWED[kind]


def test_the_document_is_what_the_models_say():
    assert asyncapi() == DOCUMENT


def test_the_root_has_what_it_must_have():
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert fits("root", DOCUMENT)
    assert fits("info", DOCUMENT["info"])
    assert fits("components", DOCUMENT["components"])


def test_every_reference_leads_somewhere_inside():
    references = [
        value["$ref"] for value in walk(DOCUMENT) if isinstance(value, dict) and isinstance(value.get("$ref"), str)
    ]
    assert len(references) > 80
    assert all(reference.startswith("#/") for reference in references)
    assert all(isinstance(target(reference), dict) for reference in references)


def test_names_of_components_are_allowed():
    assert all(COMPONENT_NAME.fullmatch(name) for part in DOCUMENT["components"].values() for name in part)


@pytest.mark.parametrize("channel", DOCUMENT["channels"].values(), ids=list(DOCUMENT["channels"]))
def test_a_channel_is_a_topic_of_the_catalogue(channel):
    topics = {topic.name: topic for topic in catalogue("collate-gateway.")}
    topic = topics[channel["address"]]
    assert fits("channel", channel)
    assert fits("kafka channel", channel["bindings"]["kafka"])
    assert channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == [topic.config["cleanup.policy"]]
    # In AsyncAPI 3 a channel's messages are references, under any name.
    assert all(set(message) == {"$ref"} for message in channel["messages"].values())


def test_the_private_topic_is_left_out():
    assert "state" not in {channel["address"].rpartition(".")[2] for channel in DOCUMENT["channels"].values()}


def test_an_operation_sends_or_receives_on_a_channel():
    for operation in DOCUMENT["operations"].values():
        assert fits("operation", operation)
        assert operation["action"] in {"send", "receive"}
        assert target(operation["channel"]["$ref"]) in DOCUMENT["channels"].values()
    assert DOCUMENT["operations"]["worker.events"]["action"] == "send"


def test_every_command_and_event_is_a_message_of_its_channel():
    def names(channel):
        return {target(message["$ref"])["name"] for message in DOCUMENT["channels"][channel]["messages"].values()}

    assert names("commands") == set(COMMANDS)
    assert names("events") == set(EVENTS)
    assert names("authorizations") == {"collate-gateway.authorization.v1"}


@pytest.mark.parametrize(
    "message", DOCUMENT["components"]["messages"].values(), ids=list(DOCUMENT["components"]["messages"])
)
def test_a_message_and_its_example_are_right(message):
    assert fits("message", message)
    assert fits("kafka message", message["bindings"]["kafka"])
    for part in ("headers", "payload"):
        # The default schema format is a superset of JSON Schema draft-07; its references are resolved in the document.
        schema = {**DOCUMENT, **message[part]}
        Draft7Validator.check_schema(target(message[part]["$ref"]))
        assert message["examples"]
        for example in message["examples"]:
            assert fits("example", example)
            Draft7Validator(schema).validate(example[part])
    assert target(message["headers"]["$ref"])["type"] == "object"
    if "correlationId" in message:
        header = message["correlationId"]["location"].removeprefix("$message.header#/")
        assert header in target(message["headers"]["$ref"])["properties"]


def test_the_headers_of_the_examples_are_the_headers_we_write():
    headers = target("#/components/schemas/eventHeaders")["properties"]
    assert {"ce_id", "ce_sequence", "ce_causationid", "ce_subject", "traceparent", "content-type"} <= set(headers)
