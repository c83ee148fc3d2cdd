import json

import pytest

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import WantedTopic
from runtime.settings import KafkaSettings
from schemas.topics import catalogue


@pytest.fixture
def settings(kafka):
    return KafkaSettings(bootstrap=tuple(kafka.split(",")))


def test_plan_and_apply_create_the_topics_once(gateway, prefix):
    planned = gateway("topics", "plan")
    assert planned.returncode == 3, planned.stderr
    assert planned.stdout.count("`gateway topics apply` creates it") == 5

    applied = gateway("topics", "apply")
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout.splitlines() == [
        *(f"created {prefix}{name}" for name in ("commands", "events", "authorizations", "state", "dead-letters")),
        "All topics are correct.",
    ]

    assert gateway("topics", "plan").returncode == 0
    again = gateway("topics", "apply", "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, {"applied": [], "left": []})


def test_another_partition_count_needs_a_person(gateway):
    assert gateway("topics", "apply").returncode == 0
    planned = gateway("topics", "plan", "--json", GATEWAY_TOPICS__PARTITIONS="4")
    assert planned.returncode == 78
    differences = json.loads(planned.stdout)["differences"]
    assert {(one["aspect"], one["found"], one["wanted"], one["remedy"]) for one in differences} == {
        ("partitions", "3", "4", "by hand")
    }
    applied = gateway("topics", "apply", GATEWAY_TOPICS__PARTITIONS="4")
    assert applied.returncode == 78
    assert "set GATEWAY_TOPICS__PARTITIONS" in " ".join(applied.stdout.split())
    assert gateway("topics", "plan").returncode == 0


async def test_apply_alters_wrong_keys_and_keeps_an_operators_keys(gateway, settings, prefix):
    wanted = next(topic for topic in catalogue(prefix) if topic.role == "state")
    config = {**wanted.config, "segment.bytes": "1048576", "min.insync.replicas": "1", "retention.bytes": "7777"}
    async with open_cluster(settings) as cluster:
        await cluster.create_topic(WantedTopic(wanted.name, 3, 1, config))
    applied = gateway("topics", "apply")
    assert applied.returncode == 0, applied.stderr
    assert f"set segment.bytes of {wanted.name} to 16777216 (was 1048576)" in applied.stdout
    async with open_cluster(settings) as cluster:
        (found,) = (await cluster.find_topics([wanted.name])).values()
    assert found.config["segment.bytes"] == "16777216"
    assert found.config["retention.bytes"] == "7777"


async def test_creating_an_existing_topic_is_no_error(settings, prefix, eventually):
    wanted = WantedTopic(f"{prefix}twice", 3, 1, {})
    async with open_cluster(settings) as cluster:
        await cluster.create_topic(wanted)
        await cluster.create_topic(wanted)
        # A busy broker answers the request before it knows the topic itself.
        found = await eventually(lambda: cluster.find_topics([wanted.name, f"{prefix}never"]))
    assert {name: (topic.partitions, topic.replication) for name, topic in found.items()} == {wanted.name: (3, 1)}


def test_a_rejected_topic_is_reported_with_kafkas_message(gateway):
    applied = gateway("topics", "apply", GATEWAY_TOPICS__REPLICATION="5")
    assert applied.returncode == 69
    assert "was not created" in applied.stderr
    assert "replication factor" in applied.stderr.lower()


async def test_finding_topics_never_creates_them(to_secured, prefix, eventually):
    settings = to_secured("PLAINTEXT")
    names = [topic.name for topic in catalogue(prefix)]
    async with open_cluster(settings) as cluster:
        assert await cluster.find_topics(names) == {}
        assert await cluster.find_topics(names) == {}
        # Proof that this broker auto-creates topics that are requested by name.
        await cluster._admin.describe_topics([f"{prefix}requested-by-name"])
        await eventually(lambda: cluster.find_topics([f"{prefix}requested-by-name"]))
        assert await cluster.find_topics(names) == {}
