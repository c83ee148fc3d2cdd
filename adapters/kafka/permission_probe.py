"""Asks Kafka what we may do, without doing it: the few requests that aiokafka lacks, and how their answers are read.

topics              Metadata v8 lists the operations that we are allowed, topic by topic
topics not there    CreateTopics, validated only
group, transaction  AddOffsetsToTxn for a producer that does not exist: permissions are judged first, and then
                    nothing is done
"""

from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import AddOffsetsToTxnRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from adapters.kafka.acls import Need, Operation
from adapters.kafka.aiokafka_internals import send_to_any_broker

_UNKNOWN_TOPIC = 3
_TOPIC_DENIED, _GROUP_DENIED, _TRANSACTION_DENIED = 29, 30, 53
_IMPLY_DESCRIBE = frozenset({Operation.READ, Operation.WRITE})
_NO_PRODUCER = -1
_NOBODY = "gateway-check"


class _MetadataResponse(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequestV8(RequestStruct):  # type: ignore[misc] # as above
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _MetadataRequest(Request[_MetadataRequestV8]):  # type: ignore[misc] # as above
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestV8]) -> _MetadataRequestV8:
        """Ask for these topics and never create one."""
        return request_struct_class(self._topics, False, False, True)


async def missing_rights(admin: AIOKafkaAdminClient, need: Need, topics: Iterable[str]) -> frozenset[Operation]:
    """Return the operations of a need that we are not allowed; `topics` are those that a prefix stands for."""
    match need.resource:
        case "topic":
            return await _missing_on_topics(admin, need, list(topics) if need.is_prefix else [need.name])
        case "group":
            denied = await _is_refused(admin, HeartbeatRequest(need.name, -1, _NOBODY), _GROUP_DENIED)
        case "transactional-id":
            nothing = AddOffsetsToTxnRequest(f"{need.name}{_NOBODY}", _NO_PRODUCER, _NO_PRODUCER, "")
            denied = await _is_refused(admin, nothing, _TRANSACTION_DENIED)
    return need.operations if denied else frozenset()


async def _missing_on_topics(admin: AIOKafkaAdminClient, need: Need, names: list[str]) -> frozenset[Operation]:
    answer = await send_to_any_broker(admin, _MetadataRequest(names))
    missing: set[Operation] = set()
    for code, name, _internal, _partitions, allowed in answer.topics:
        if code == _UNKNOWN_TOPIC:
            if Operation.CREATE in need.operations and await _may_not_create(admin, name):
                missing.add(Operation.CREATE)
            continue
        if code == _TOPIC_DENIED:
            missing |= need.operations
            continue
        _raise_for(code)
        missing |= need.operations - _operations(allowed)
    return frozenset(missing)


def _operations(bits: int) -> frozenset[Operation]:
    found = {operation for operation in Operation if bits >> operation & 1}
    return frozenset(found | ({Operation.DESCRIBE} if found & _IMPLY_DESCRIBE else set()))


async def _may_not_create(admin: AIOKafkaAdminClient, name: str) -> bool:
    answer = await admin.create_topics([NewTopic(name, 1, 1)], validate_only=True)
    return any(code == _TOPIC_DENIED for _, code, *_ in answer.topic_errors)


async def _is_refused(admin: AIOKafkaAdminClient, request: Any, refusal: int) -> bool:
    answer = await send_to_any_broker(admin, request)
    return bool(answer.error_code == refusal)


def _raise_for(code: int) -> None:
    if code:
        raise for_code(code)
