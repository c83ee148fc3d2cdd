"""Plays a stale coordinator: writes the commit marker of an open transaction to some of its topics.

Kafka's leaders accept a marker of any coordinator epoch that is not older than the last one that they have seen.
"""

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields


class WriteTxnMarkersResponseV1(Response):
    API_KEY, API_VERSION = 27, 1
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                (
                    "topics",
                    CompactArray(
                        ("name", CompactString("utf-8")),
                        (
                            "partitions",
                            CompactArray(("partition", Int32), ("error_code", Int16), ("tags", TaggedFields)),
                        ),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class WriteTxnMarkersRequestV1(RequestStruct):
    FLEXIBLE_VERSION, API_KEY, API_VERSION = True, 27, 1
    RESPONSE_TYPE = WriteTxnMarkersResponseV1
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("committed", Boolean),
                (
                    "topics",
                    CompactArray(
                        ("name", CompactString("utf-8")), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
                    ),
                ),
                ("coordinator_epoch", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class WriteTxnMarkersRequest(Request[WriteTxnMarkersRequestV1]):
    API_KEY = 27

    def __init__(self, identity, topics, partition):
        self._identity, self._topics, self._partition = identity, topics, partition

    def build(self, request_struct_class):
        topics = [(topic, [self._partition], {}) for topic in self._topics]
        own = self._identity
        return request_struct_class([(own.producer_id, own.producer_epoch, True, topics, 0, {})], {})


async def commit_a_part(producer, identity, targets):
    """Write the commit marker of this epoch to these partitions of the producer's open transaction."""
    for target in targets:
        leader = producer.client.cluster.leader_for_partition(target)
        request = WriteTxnMarkersRequest(identity, [target.topic], target.partition)
        response = await producer.client.send(leader, request)
        ((_, ((_, ((_, code, _),), _),), _),) = response.markers
        if code:
            raise for_code(code)
