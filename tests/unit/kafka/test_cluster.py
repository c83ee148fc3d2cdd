"""What brokers say that don't agree yet. What they say when they do is in tests/system/runtime/test_topics.py."""

from types import SimpleNamespace

import pytest

from adapters.kafka.cluster import ClusterRefused, KafkaCluster

UNKNOWN_TOPIC = 3


class Admin:
    """One broker names the topic; the others answer for its configuration with these codes, then with the last."""

    def __init__(self, *codes):
        self.codes = list(codes)

    async def describe_topics(self):
        return [{"topic": "commands", "partitions": [{"replicas": [1, 2, 3]}]}]

    async def describe_configs(self, resources):
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        entries = [] if code else [("cleanup.policy", "delete", False, 1, False, [])]
        return [SimpleNamespace(resources=[(code, None, 2, "commands", entries)])]


async def test_a_topic_that_not_all_brokers_have_heard_of_is_asked_for_again():
    found = await KafkaCluster(Admin(UNKNOWN_TOPIC, UNKNOWN_TOPIC, 0), 10.0).find_topics(["commands"])
    assert found["commands"].config == {"cleanup.policy": "delete"}


async def test_a_topic_that_stays_unknown_is_named():
    with pytest.raises(ClusterRefused, match="topic commands could not be read: UnknownTopicOrPartitionError"):
        await KafkaCluster(Admin(UNKNOWN_TOPIC), 0.2).find_topics(["commands"])
