"""The requests of a transaction, and the meaning of their responses. No I/O: a table of Kafka's error codes.

    code                                            AddPartitionsToTxn   Produce                 EndTxn
    14 coordinator loads                            retry                retry                   retry
    15, 16 another coordinator                      find it              retry                   find it
    3 unknown topic or partition                    retry                retry, new metadata     raise
    51 the markers before are not yet written       retry soon           raise                   retry soon
    46 duplicate sequence number                    raise                written, in a repeat    raise
    47, 90 another producer has the id              ProducerFenced       ProducerFenced          ProducerFenced
    55 not tried, because of another partition      never the cause      raise                   raise
    aiokafka calls it retriable                     -                    retry                   -
    any other                                       raise                raise                   raise

A response that leaves a partition out confirms nothing about it: an error.
"""

from __future__ import annotations

from collections import defaultdict
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaError,
    NodeNotReadyError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownError,
    for_code,
)
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from adapters.kafka.aiokafka_internals import ProducerIdentity

    _Failure = RuntimeError | KeyError  # a KafkaError is a RuntimeError

_UNKNOWN_TOPIC, _LOADING, _LOST, _CONCURRENT, _NOT_ATTEMPTED = 3, 14, frozenset({15, 16}), 51, 55
_DUPLICATE, _TOPIC_NOT_AUTHORIZED = 46, 29
_FENCED = frozenset({47, 90})  # aiokafka has no name for 90


class Reaction(IntEnum):
    """The next step after a coordinator's response. Of several partitions' reactions the greatest counts."""

    CONTINUE = 0
    RETRY_SOON = 1
    RETRY = 2
    FIND_COORDINATOR = 3


class PartitionBatch(NamedTuple):
    """The records for one partition, built once: a repeat has the same bytes and sequence numbers."""

    target: TopicPartition
    data: bytes


class Produced(NamedTuple):
    """The batches of a ProduceRequest that must be sent again, and the first offset of each written batch.

    `needs_metadata`: their leader may have changed; `was_sent`: they may have reached the leader. The offset of a
    duplicate is unknown.
    """

    unwritten: Sequence[PartitionBatch]
    needs_metadata: bool
    was_sent: bool = True
    offsets: Mapping[TopicPartition, int] = MappingProxyType({})


def add_partitions(identity: ProducerIdentity, targets: Iterable[TopicPartition]) -> AddPartitionsToTxnRequest:
    """Make the request that adds all partitions to the transaction."""
    return AddPartitionsToTxnRequest(*identity, topics=_by_topic((target, target.partition) for target in targets))


def produce(identity: ProducerIdentity, batches: Iterable[PartitionBatch], timeout_ms: int) -> ProduceRequest:
    """Make the request that writes the batches, at most one for each partition, on all replicas in sync."""
    topics = _by_topic((target, (target.partition, data)) for target, data in batches)
    return ProduceRequest(identity.transactional_id, required_acks=-1, timeout=timeout_ms, topics=topics)


def commit(identity: ProducerIdentity) -> EndTxnRequest:
    """Make the request that commits the transaction."""
    return EndTxnRequest(*identity, transaction_result=True)


def by_leader(
    batches: Iterable[PartitionBatch], leader_of: Callable[[TopicPartition], int | None]
) -> dict[int | None, list[PartitionBatch]]:
    """Group the batches by the leader of their partition; None: no leader is known."""
    groups: defaultdict[int | None, list[PartitionBatch]] = defaultdict(list)
    for batch in batches:
        leader = leader_of(batch.target)
        groups[None if leader == -1 else leader].append(batch)
    return dict(groups)


def partitions_added(response: Any, targets: Collection[TopicPartition]) -> Reaction | KafkaError:
    """Return the reaction to the response to `add_partitions`."""
    codes = _codes(response.errors)
    if missing := [target for target in targets if target not in codes]:
        return _unanswered(missing)
    reactions = [_to_added(code, target.topic) for target, code in codes.items() if code != _NOT_ATTEMPTED]
    errors = [reaction for reaction in reactions if isinstance(reaction, KafkaError)]
    if errors:
        return errors[0]
    greatest = max((reaction for reaction in reactions if isinstance(reaction, Reaction)), default=Reaction.CONTINUE)
    if greatest is Reaction.CONTINUE and _NOT_ATTEMPTED in codes.values():
        return _error(_NOT_ATTEMPTED)  # no partition names the cause
    return greatest


def committed(response: Any) -> Reaction | KafkaError:
    """Return the reaction to the response to `commit`."""
    return _of_coordinator(response.error_code)


def produced(response: Any, batches: Sequence[PartitionBatch], *, is_repeat: bool) -> Produced | KafkaError:
    """Return what the response to `produce` leaves to be written.

    `is_repeat`: the same batches may have reached a leader before.
    """
    rows = {
        TopicPartition(topic, partition): (code, offset)
        for topic, partitions in response.topics
        for partition, code, offset, *_ in partitions
    }
    if missing := [batch.target for batch in batches if batch.target not in rows]:
        return _unanswered(missing)
    unwritten, offsets, needs_metadata = [], {}, False
    for batch in batches:
        code, offset = rows[batch.target]
        if code == 0:
            offsets[batch.target] = int(offset)
            continue
        if code == _DUPLICATE and is_repeat:
            continue
        error = _error(code, batch.target.topic)
        if not error.retriable:
            return error
        unwritten.append(batch)
        needs_metadata |= error.invalid_metadata
    return Produced(unwritten, needs_metadata, offsets=offsets)


def not_produced(failure: _Failure, batches: Sequence[PartitionBatch]) -> Produced | _Failure:
    """Return what a ProduceRequest without a response leaves to be written, or the failure if it is final."""
    if not is_retriable(failure):
        return failure
    return Produced(batches, needs_metadata=True, was_sent=may_arrive(failure))


def may_arrive(failure: Exception) -> bool:
    """Say whether a request without a response may still reach the broker: not if no connection took it."""
    return not isinstance(failure, NodeNotReadyError)


def is_retriable(failure: _Failure) -> bool:
    """Say whether a request without a response may be sent again.

    A failure that is no KafkaError is one of the connection: uvloop's RuntimeError for a write after the close, or
    aiokafka's KeyError for a connection that another request has removed. aiokafka wraps the failure of a search for
    the coordinator in a KafkaError.
    """
    if not isinstance(failure, KafkaError):
        return True
    return bool(failure.retriable or getattr(failure.__cause__, "retriable", False))


def _to_added(code: int, topic: str) -> Reaction | KafkaError:
    return Reaction.RETRY if code == _UNKNOWN_TOPIC else _of_coordinator(code, topic)


def _of_coordinator(code: int, topic: str | None = None) -> Reaction | KafkaError:
    if code == 0:
        return Reaction.CONTINUE
    if code == _CONCURRENT:
        return Reaction.RETRY_SOON
    if code == _LOADING:
        return Reaction.RETRY
    if code in _LOST:
        return Reaction.FIND_COORDINATOR
    return _error(code, topic)


def _error(code: int, topic: str | None = None) -> KafkaError:
    if code in _FENCED:
        return ProducerFenced()
    if code == _TOPIC_NOT_AUTHORIZED:
        return TopicAuthorizationFailedError(topic)
    error = for_code(code)
    return error(f"code {code}") if error is UnknownError else error()


def _unanswered(targets: Iterable[TopicPartition]) -> KafkaError:
    names = ", ".join(f"{target.topic}-{target.partition}" for target in targets)
    return KafkaError(f"the response leaves out {names}")


def _by_topic(items: Iterable[tuple[TopicPartition, Any]]) -> list[tuple[str, list[Any]]]:
    topics: defaultdict[str, list[Any]] = defaultdict(list)
    for target, item in items:
        topics[target.topic].append(item)
    return list(topics.items())


def _codes(topics: Iterable[tuple[str, Iterable[tuple[int, ...]]]]) -> dict[TopicPartition, int]:
    return {
        TopicPartition(topic, partition): code for topic, partitions in topics for partition, code, *_ in partitions
    }
