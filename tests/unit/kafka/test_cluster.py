"""Responses of brokers that do not agree yet, and the log while connections are opened.

tests/system/runtime/test_topics.py has the normal case.
"""

import asyncio
import logging
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from types import SimpleNamespace

import pytest

from adapters.kafka import exposure
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


class Brokers:
    """An admin client of brokers with these sessions, in milliseconds; None: it may not read them."""

    def __init__(self, *sessions):
        self.sessions = sessions

    async def describe_cluster(self):
        return {"brokers": [{"node_id": node} for node in range(len(self.sessions))]}

    async def describe_configs(self, resources):
        assert [(int(one.resource_type), list(one.configs)) for one in resources] == [
            (4, ["broker.session.timeout.ms"])
        ] * len(self.sessions)
        return [
            SimpleNamespace(
                resources=[
                    (31, "denied", 4, "1", [])
                    if session is None
                    else (0, "", 4, "1", [("broker.session.timeout.ms", session, False, 5, False, [])])
                ]
            )
            for session in self.sessions
        ]


@pytest.mark.parametrize(
    ("sessions", "found"), [(("9000", "13000", "9000"), 13.0), ((None, None), None), (("540000",), 0.0)]
)
async def test_the_longest_session_of_several_brokers_counts(sessions, found):
    assert await KafkaCluster(Brokers(*sessions), 10.0).broker_session_seconds() == found


@pytest.mark.parametrize(
    ("timeout", "session", "least"),
    [(25, 9.0, None), (25, 15.0, None), (25, 15.1, "25.125"), (17, 9.0, "17.5"), (25, 18.0, "28.75"), (25, 0.0, None)],
)
async def test_a_transaction_is_given_up_after_a_session_and_an_election(monkeypatch, timeout, session, least):
    @asynccontextmanager
    async def cluster(_):
        yield KafkaCluster(Brokers(*[f"{session * 1_000:.0f}"] * 2), 10.0)

    monkeypatch.setattr(exposure, "open_cluster", cluster)
    kafka = KafkaSettings(bootstrap=["127.0.0.1:1"], transaction_timeout=timedelta(seconds=timeout))
    refusal = pytest.raises(exposure.DeadlineRefused, match=f"raise the first to {least} s")
    with nullcontext() if least is None else refusal:
        await exposure.require_deadline(kafka, None)
