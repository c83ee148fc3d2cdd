"""asyncapi.json fits the official JSON Schema of AsyncAPI 3.1.0 (the file in this folder) and the models."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from schemas import published
from schemas.commands import COMMANDS
from schemas.events import EVENTS
from schemas.topics import catalogue
from tests.contract.references import resolved, walk

DOCUMENT = json.loads(published.read("asyncapi.json"))
OFFICIAL = Draft7Validator(json.loads(Path(__file__).with_name("asyncapi-3.1.0.json").read_text()))


def target(reference):
    return resolved(DOCUMENT, {"$ref": reference})


def test_the_document_is_valid_asyncapi_3_1():
    assert DOCUMENT["asyncapi"] == "3.1.0"
    OFFICIAL.validate(DOCUMENT)


def test_every_reference_has_a_target_in_the_document():
    references = [
        value["$ref"] for value in walk(DOCUMENT) if isinstance(value, dict) and isinstance(value.get("$ref"), str)
    ]
    assert len(references) > 80
    assert all(reference.startswith("#/") for reference in references)
    assert all(isinstance(target(reference), dict) for reference in references)


def test_names_of_components_are_allowed():
    # The specification's prose requires this; its JSON Schema does not.
    names = [name for part in DOCUMENT["components"].values() for name in part]
    assert all(re.fullmatch("[A-Za-z0-9._-]+", name) for name in names)


@pytest.mark.parametrize("channel", DOCUMENT["channels"].values(), ids=list(DOCUMENT["channels"]))
def test_a_channel_is_a_topic_of_the_catalogue(channel):
    topics = {topic.name: topic for topic in catalogue("collate-gateway.")}
    topic = topics[channel["address"]]
    assert channel["bindings"]["kafka"]["topicConfiguration"]["cleanup.policy"] == [topic.config["cleanup.policy"]]


def test_the_private_topic_is_left_out():
    assert "state" not in {channel["address"].rpartition(".")[2] for channel in DOCUMENT["channels"].values()}


def test_an_operation_is_one_of_a_channel():
    for operation in DOCUMENT["operations"].values():
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
def test_a_message_and_its_example_are_valid(message):
    for part in ("headers", "payload"):
        # The default schema format is a superset of JSON Schema draft-07; its references are resolved in the document.
        schema = {**DOCUMENT, **message[part]}
        Draft7Validator.check_schema(target(message[part]["$ref"]))
        assert message["examples"]
        for example in message["examples"]:
            Draft7Validator(schema).validate(example[part])
    assert target(message["headers"]["$ref"])["type"] == "object"
    if "correlationId" in message:
        header = message["correlationId"]["location"].removeprefix("$message.header#/")
        assert header in target(message["headers"]["$ref"])["properties"]


def test_the_examples_have_the_headers_of_written_records():
    headers = target("#/components/schemas/eventHeaders")["properties"]
    assert {"ce_id", "ce_sequence", "ce_causationid", "ce_subject", "traceparent", "content-type"} <= set(headers)
