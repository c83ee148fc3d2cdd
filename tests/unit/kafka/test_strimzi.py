"""`gateway topics acls --format strimzi`: the same permissions and topics as resources of Strimzi."""

import pytest
import yaml
from typer.testing import CliRunner

from adapters.kafka.acls import required_access
from adapters.kafka.strimzi import PrincipalUnusable, document, resources
from adapters.kafka.topics import wanted_topics
from gateway.cli.app import app
from runtime.settings import KafkaSettings, TopicSettings
from schemas.topics import catalogue

PREFIX, GROUP = "Gate_way.", "gateway-worker"
PROCESSES = ("ingress", "worker", "projector", "deliverer", "topics")
PRINCIPALS = {process: f"User:gateway-{process}" for process in PROCESSES}
REQUIRED = {process: required_access(process, catalogue(PREFIX), PREFIX, GROUP) for process in PROCESSES}
PLAIN = KafkaSettings(bootstrap="k:9092")


def made(principals=PRINCIPALS, kafka=PLAIN):
    topics = wanted_topics(catalogue(PREFIX), TopicSettings(prefix=PREFIX))
    found = list(resources(principals, REQUIRED, topics, kafka, cluster="main", version="v1"))
    assert list(yaml.safe_load_all(document(found))) == found
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def test_each_process_has_a_user_with_exactly_its_access():
    found = made()
    assert {name for kind, name in found if kind == "KafkaUser"} == {
        "gateway-ingress",
        "gateway-worker",
        "gateway-projector",
        "gateway-deliverer",
    }
    for process in PROCESSES[:4]:
        user = found["KafkaUser", f"gateway-{process}"]
        assert user["metadata"]["labels"] == {"strimzi.io/cluster": "main"}
        granted = {
            (acl["resource"]["type"], acl["resource"]["name"], acl["resource"]["patternType"]): set(acl["operations"])
            for acl in user["spec"]["authorization"]["acls"]
        }
        assert granted == {
            (
                "transactionalId" if access.resource == "transactional-id" else access.resource,
                access.name,
                "prefix" if access.is_prefix else "literal",
            ): {operation.tool_name for operation in access.operations}
            for access in REQUIRED[process]
        }


def test_each_topic_is_as_gateway_topics_apply_creates_it():
    found = made()
    for topic in wanted_topics(catalogue(PREFIX), TopicSettings(prefix=PREFIX)):
        name = topic.name.lower().replace("_", "-")
        spec = found["KafkaTopic", name]["spec"]
        assert (spec["topicName"], spec["partitions"], spec["replicas"]) == (topic.name, 12, 3)
        assert {key: str(value) for key, value in spec["config"].items()} == dict(topic.config)


@pytest.mark.parametrize(
    ("settings", "login"),
    [
        ({}, None),
        ({"security": "SSL"}, {"type": "tls"}),
        ({"security": "SASL_SSL", "username": "u", "password_file": "/p"}, {"type": "scram-sha-512"}),
        ({"security": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_file": "/t"}, None),
    ],
)
def test_the_login_is_that_of_the_settings(settings, login):
    user = made(kafka=KafkaSettings(bootstrap="k:9092", **settings))["KafkaUser", "gateway-worker"]
    assert user["spec"].get("authentication") == login


def test_a_certificates_name_is_the_users_name_and_another_principal_is_refused():
    assert ("KafkaUser", "one") in made(PRINCIPALS | {"ingress": "User:CN=one"})
    with pytest.raises(PrincipalUnusable, match="User:Two_3 is not the name of a KafkaUser"):
        made(PRINCIPALS | {"ingress": "User:Two_3"})


def test_the_verb_prints_yaml_or_names_the_wrong_principal():
    environ = {"GATEWAY_ENVIRONMENT": "test", "GATEWAY_KAFKA__BOOTSTRAP": "k:9092"}
    verb = ["topics", "acls", "--format", "strimzi", "--strimzi-cluster", "main"]
    done = CliRunner().invoke(app, verb, env=environ)
    assert done.exit_code == 0
    assert [one["apiVersion"] for one in yaml.safe_load_all(done.output)] == ["kafka.strimzi.io/v1beta2"] * 8
    refused = CliRunner().invoke(app, [*verb, "--worker", "User:A B"], env=environ)
    assert refused.exit_code == 2
    assert "User:A B is not the name of a KafkaUser" in refused.output
