"""The Metadata request of version 10, which aiokafka lacks: it has the topics' ids and the allowed operations.

A topic that is deleted and created again keeps its name and gets another id. An id is written as Kafka's tools write
it: base64url without padding.
"""

from base64 import urlsafe_b64encode
from io import BytesIO
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import IncompatibleBrokerVersion, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from adapters.kafka.aiokafka_internals import send_to_a_broker, send_to_coordinator

_ID_BYTES = 16
_NO_ID = bytes(_ID_BYTES)
_NEEDED = "a topic needs an id: every broker must be Kafka 2.8 or newer, and so must be inter.broker.protocol.version"


class _TopicId(AbstractType[bytes]):  # type: ignore[misc] # aiokafka has no types
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(_ID_BYTES)


class TopicMetadataResponse(Response):  # type: ignore[misc] # as above
    """The brokers, and of each topic: error code, name, id, partitions and allowed operations."""

    API_KEY, API_VERSION = 3, 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _TopicId),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class TopicMetadataRequestV10(RequestStruct):  # type: ignore[misc] # as above
    """The request's fields."""

    FLEXIBLE_VERSION, API_KEY, API_VERSION = True, 3, 10
    RESPONSE_TYPE = TopicMetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _TopicId), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicMetadataRequest(Request[TopicMetadataRequestV10]):  # type: ignore[misc] # as above
    """Request these topics and the cluster, and never create a topic."""

    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[TopicMetadataRequestV10]) -> TopicMetadataRequestV10:
        """Return the request for the broker's version."""
        return request_struct_class([(_NO_ID, name, {}) for name in self._topics], False, True, True, {})

    def prepare(self, versions: dict[int, tuple[int, int]]) -> Any:
        """Return the request for a broker with these versions. Raises IncompatibleBrokerVersion before Kafka 2.8."""
        try:
            return super().prepare(versions)
        except NotImplementedError:
            raise IncompatibleBrokerVersion(_NEEDED) from None


async def fetch_topic_id(consumer: AIOKafkaConsumer, topic: str) -> str:
    """Return the topic's id, from the group's coordinator: it answers heartbeats, so it is not frozen.

    Raises KafkaError: the coordinator is unknown, the topic does not exist or is not visible to us, or it has no id.
    """
    return _ids(await send_to_coordinator(consumer, TopicMetadataRequest([topic])))[topic]


async def fetch_topic_ids(owner: AIOKafkaConsumer | AIOKafkaProducer, topics: list[str]) -> dict[str, str]:
    """Return the topics' ids, from any broker. Raises KafkaError as `fetch_topic_id`."""
    return _ids(await send_to_a_broker(owner, TopicMetadataRequest(topics)))


def _ids(response: Any) -> dict[str, str]:
    if failed := next((code for code, *_ in response.topics if code), 0):
        raise for_code(failed)
    return {name: as_text(topic_id) for _, name, topic_id, *_ in response.topics}


def as_text(topic_id: bytes) -> str:
    """Return an id as Kafka's tools write it. Raises IncompatibleBrokerVersion for the id of a topic without one."""
    if topic_id == _NO_ID:
        raise IncompatibleBrokerVersion(_NEEDED)
    return urlsafe_b64encode(topic_id).rstrip(b"=").decode()
