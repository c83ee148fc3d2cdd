"""Responses of brokers that do not agree yet, and the log while connections are opened.

tests/system/runtime/test_topics.py has the normal case.
"""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from adapters.kafka.cluster import KafkaAway, KafkaCluster, TopicRequestRejected, open_cluster
from local.processes.ports import free_ports
from runtime.settings import KafkaSettings

UNKNOWN_TOPIC = 3


class Admin:
    """An admin client whose DescribeConfigs responses have these error codes, then the last one again."""

    def __init__(self, *codes):
        self.codes = list(codes)

    async def _send_request(self, request):
        partition = (0, 0, 1, 0, [1, 2, 3], [1, 2, 3], [], {})
        return SimpleNamespace(topics=[(0, "commands", b"\xfb" * 16, False, [partition], 0, {})])

    async def describe_configs(self, resources):
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        entries = [] if code else [("cleanup.policy", "delete", False, 1, False, [])]
        return [SimpleNamespace(resources=[(code, None, 2, "commands", entries)])]


async def test_a_topic_that_one_broker_does_not_know_yet_is_requested_again():
    found = await KafkaCluster(Admin(UNKNOWN_TOPIC, UNKNOWN_TOPIC, 0), 10.0).find_topics(["commands"])
    assert found["commands"].config == {"cleanup.policy": "delete"}
    assert (found["commands"].replication, found["commands"].id) == (3, "-_v7-_v7-_v7-_v7-_v7-w")


async def test_the_error_names_a_topic_that_stays_unknown():
    with pytest.raises(TopicRequestRejected, match="topic commands could not be read: UnknownTopicOrPartitionError"):
        await KafkaCluster(Admin(UNKNOWN_TOPIC), 0.2).find_topics(["commands"])


async def test_connections_that_overlap_leave_the_log_of_the_library_as_it_was(caplog):
    """The first ends before the second, so its end must not decide what the end of the second restores."""
    nobody = KafkaSettings(bootstrap=(f"127.0.0.1:{free_ports(1)[0]}",))

    async def connect(timeout_seconds):
        async with open_cluster(nobody, timeout_seconds):
            pytest.fail("no broker is there")

    outcomes = await asyncio.gather(connect(0.05), connect(0.2), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [KafkaAway, KafkaAway]
    logging.getLogger("aiokafka.client").warning("no broker")
    assert [record.message for record in caplog.records] == ["no broker"]
