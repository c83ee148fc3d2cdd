"""Reads the tail of a topic's partition as its leader has it, with the records of aborted transactions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from consumers.engine.core.tail import NumberedTail
from consumers.engine.kafka.transaction_requests import is_retriable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaProducer, TopicPartition

    from adapters.kafka.aiokafka_internals import ProducerIdentity

_WAIT_MILLISECONDS: Final = 100
_RETRY_SECONDS: Final = 0.1
_FETCH_BYTES: Final = 256 * 1024  # as for a restore: twelve partitions start at a time
_EVERY_RECORD: Final = 0  # isolation level: also records without a marker
_BOTH: Final = (-2, -1)  # Kafka's times for the begin and the end


class TopicTail(NamedTuple):
    """The tail of one partition, from `begin` to the offset `end` after the start's marker."""

    begin: int
    end: int
    numbered: NumberedTail

    def lacks(self, number: int, part: tuple[int, int, int], aborted: Sequence[Any]) -> bool:
        """Whether it must have a committed record of this number, and has none.

        Without an aborted copy it had to keep one: a record with a value, at a place that is still in the log.
        """
        begin, written, lasting = part
        if not written or self.numbered.newest(is_committed=True) >= number:
            return False
        return bool(aborted) or (lasting > 0 and self.begin <= begin <= self.end)


async def read_tail(
    producer: AIOKafkaProducer, partition: TopicPartition, part: tuple[int, int, int] | None, until: ProducerIdentity
) -> TopicTail:
    """Read from the begin of a part (`ProgressRecord`) to Kafka's marker of this epoch; None: read nothing.

    A deposed leader lacks that marker, so it cannot end the read. Retries without a limit: set a deadline.

    Raises KafkaError: a permission is missing, or a permanent error.
    """
    await producer.partitions_for(partition.topic)  # waits for the metadata of a topic that the producer does not know
    numbered = NumberedTail()
    requests = [OffsetRequest(-1, _EVERY_RECORD, [(partition.topic, [(partition.partition, at)])]) for at in _BOTH]
    first, end = [(await _ask(producer, partition, request))[3] for request in requests]
    if part is None:
        return TopicTail(end, end, numbered)
    # A log that was created again ends before the part; the marker of this epoch is its last batch.
    first = here = max(first, min(part[0], end - 1))
    while True:
        row = (partition.partition, here, _FETCH_BYTES)
        request = FetchRequest(_WAIT_MILLISECONDS, 1, _FETCH_BYTES, _EVERY_RECORD, [(partition.topic, [row])])
        batches = MemoryRecords((await _ask(producer, partition, request))[-1] or b"")
        while (batch := batches.next_batch()) is not None:
            if batch.next_offset > here:
                numbered.add(batch)
                here = batch.next_offset
                if batch.is_control_batch and (batch.producer_id, batch.producer_epoch) == until[1:]:
                    return TopicTail(first, here, numbered)


async def _ask(producer: AIOKafkaProducer, partition: TopicPartition, request: Any) -> Any:
    """Return the leader's row about the partition."""
    while True:
        leader = producer.client.cluster.leader_for_partition(partition)
        try:
            if leader in {None, -1}:
                raise LeaderNotAvailableError
            ((_, (row,)),) = (await producer.client.send(leader, request)).topics
            if row[1]:
                raise for_code(row[1])
        except (RuntimeError, KeyError) as failure:
            if not is_retriable(failure):
                raise
            producer.client.force_metadata_update()
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return row
