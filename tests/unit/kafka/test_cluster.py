"""Responses of brokers that do not agree yet. tests/system/runtime/test_topics.py has the normal case."""

from types import SimpleNamespace

import pytest

from adapters.kafka.cluster import KafkaCluster, TopicRequestRejected

UNKNOWN_TOPIC = 3


class Admin:
    """An admin client whose DescribeConfigs responses have these error codes, then the last one again."""

    def __init__(self, *codes):
        self.codes = list(codes)

    async def describe_topics(self):
        return [{"topic": "commands", "partitions": [{"replicas": [1, 2, 3]}]}]

    async def describe_configs(self, resources):
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        entries = [] if code else [("cleanup.policy", "delete", False, 1, False, [])]
        return [SimpleNamespace(resources=[(code, None, 2, "commands", entries)])]


async def test_a_topic_that_one_broker_does_not_know_yet_is_requested_again():
    found = await KafkaCluster(Admin(UNKNOWN_TOPIC, UNKNOWN_TOPIC, 0), 10.0).find_topics(["commands"])
    assert found["commands"].config == {"cleanup.policy": "delete"}


async def test_the_error_names_a_topic_that_stays_unknown():
    with pytest.raises(TopicRequestRejected, match="topic commands could not be read: UnknownTopicOrPartitionError"):
        await KafkaCluster(Admin(UNKNOWN_TOPIC), 0.2).find_topics(["commands"])
