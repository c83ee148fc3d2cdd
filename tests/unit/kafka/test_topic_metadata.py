"""Responses without an id of the topic; tests/system/engine/test_topic_ids.py has real ones."""

from types import SimpleNamespace

import pytest
from aiokafka.errors import IncompatibleBrokerVersion, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from adapters.kafka.topic_metadata import TopicMetadataRequest, fetch_topic_id

NO_ID = bytes(16)


class Coordinator:
    def __init__(self, code, topic_id):
        self._topic = (code, "commands", topic_id, False, [], 0, {})

    async def _send_req(self, request):
        assert request.prepare({3: (0, 13)}).topics == [(NO_ID, "commands", {})]
        assert request.prepare({3: (0, 13)}).allow_auto_topic_creation is False
        return SimpleNamespace(topics=[self._topic])


def fetched(code, topic_id):
    return fetch_topic_id(SimpleNamespace(_coordinator=Coordinator(code, topic_id)), "commands")


async def test_an_id_is_written_as_kafkas_tools_write_it():
    assert await fetched(0, bytes(range(240, 256))) == "8PHy8_T19vf4-fr7_P3-_w"


@pytest.mark.parametrize(
    ("code", "error"),
    [(3, UnknownTopicOrPartitionError), (29, TopicAuthorizationFailedError), (0, IncompatibleBrokerVersion)],
    ids=["missing", "denied", "no id"],
)
async def test_without_an_id_there_is_an_error(code, error):
    with pytest.raises(error):
        await fetched(code, NO_ID)


def test_a_broker_without_topic_ids_is_named():
    with pytest.raises(IncompatibleBrokerVersion, match=r"every broker must be Kafka 2\.8 or newer"):
        TopicMetadataRequest(["commands"]).prepare({3: (0, 9)})
