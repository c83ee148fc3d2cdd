"""Requests that show which operations the broker allows, without performing any. aiokafka lacks these requests.

topics, cluster     Metadata v10 lists the allowed operations
missing topics      CreateTopics with validate_only
group               Heartbeat of a member that does not exist; DescribeGroups, if DESCRIBE alone is needed
transactional id    AddOffsetsToTxn of a producer that does not exist: the broker checks permissions first
"""

from collections.abc import Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.protocol.transaction import AddOffsetsToTxnRequest

from adapters.kafka.acls import AclOperation, ResourceAccess
from adapters.kafka.aiokafka_internals import send_to_any_broker
from adapters.kafka.topic_metadata import TopicMetadataRequest

_UNKNOWN_TOPIC = 3
_TOPIC_DENIED, _GROUP_DENIED, _TRANSACTION_DENIED = 29, 30, 53
_IMPLY_DESCRIBE = frozenset({AclOperation.READ, AclOperation.WRITE})
_NO_PRODUCER = -1
_UNKNOWN_MEMBER = "gateway-check"


async def missing_operations(
    admin: AIOKafkaAdminClient, access: ResourceAccess, topics: Iterable[str]
) -> frozenset[AclOperation]:
    """Return the operations of an access that the broker denies; `topics` are the topics of a prefix."""
    match access.resource:
        case "topic":
            return await _missing_on_topics(admin, access, _topics_of(access, topics))
        case "group" if access.operations == {AclOperation.DESCRIBE}:
            described = await send_to_any_broker(admin, DescribeGroupsRequest([access.name]))
            denied = bool(described.groups[0][0] == _GROUP_DENIED)
        case "group":
            denied = await _is_denied(admin, HeartbeatRequest(access.name, -1, _UNKNOWN_MEMBER), _GROUP_DENIED)
        case "transactional-id":
            request = AddOffsetsToTxnRequest(f"{access.name}{_UNKNOWN_MEMBER}", _NO_PRODUCER, _NO_PRODUCER, "")
            denied = await _is_denied(admin, request, _TRANSACTION_DENIED)
        case "cluster":
            response = await send_to_any_broker(admin, TopicMetadataRequest([]))
            return access.operations - _operations(response.cluster_authorized_operations)
    return access.operations if denied else frozenset()


def _topics_of(access: ResourceAccess, topics: Iterable[str]) -> list[str]:
    return [name for name in topics if name.startswith(access.name)] if access.is_prefix else [access.name]


async def allowed_operations(admin: AIOKafkaAdminClient, access: ResourceAccess) -> frozenset[AclOperation]:
    """Return the operations of an access that the broker allows; none on a topic that does not exist."""
    if access.resource == "topic":
        (topic,) = (await send_to_any_broker(admin, TopicMetadataRequest([access.name]))).topics
        code, *_, allowed, _tags = topic
        return access.operations & _operations(allowed) if code == 0 else frozenset()
    return access.operations - await missing_operations(admin, access, ())


async def _missing_on_topics(
    admin: AIOKafkaAdminClient, access: ResourceAccess, names: list[str]
) -> frozenset[AclOperation]:
    response = await send_to_any_broker(admin, TopicMetadataRequest(names))
    missing: set[AclOperation] = set()
    for code, name, *_, allowed, _tags in response.topics:
        if code == _UNKNOWN_TOPIC:
            if AclOperation.CREATE in access.operations and await _may_not_create(admin, name):
                missing.add(AclOperation.CREATE)
            continue
        if code == _TOPIC_DENIED:
            missing |= access.operations
            continue
        _raise_for(code)
        missing |= access.operations - _operations(allowed)
    return frozenset(missing)


def _operations(bits: int) -> frozenset[AclOperation]:
    allowed = {operation for operation in AclOperation if bits >> operation & 1}
    return frozenset(allowed | ({AclOperation.DESCRIBE} if allowed & _IMPLY_DESCRIBE else set()))


async def _may_not_create(admin: AIOKafkaAdminClient, name: str) -> bool:
    response = await admin.create_topics([NewTopic(name, 1, 1)], validate_only=True)
    return any(code == _TOPIC_DENIED for _, code, *_ in response.topic_errors)


async def _is_denied(admin: AIOKafkaAdminClient, request: Any, denial: int) -> bool:
    response = await send_to_any_broker(admin, request)
    return bool(response.error_code == denial)


def _raise_for(code: int) -> None:
    if code:
        raise for_code(code)
