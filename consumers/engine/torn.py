"""Finds and heals a torn transaction, between the restore of a partition and its first record.

Kafka can commit a part of a transaction and abort the rest. Only the newest transaction of a partition can be torn, and
its aborted records still lie in the log: they are committed again, under the same number. If compaction has removed
them, each key that shows a part gets a state that no handler can read. docs/decisions/0027-torn-transactions.md.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from aiokafka.errors import LeaderNotAvailableError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.progress import PROGRESS_KEY, RESERVED_KEYS, readable
from consumers.engine.core.tail import NumberedTail
from consumers.engine.kafka.transaction_requests import is_retriable
from consumers.engine.state_store import input_key, state_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import AIOKafkaProducer, TopicPartition

    from adapters.kafka.aiokafka_internals import ProducerIdentity
    from consumers.engine.core.progress import ProgressRecord
    from consumers.engine.kafka.transactions import Transactions
    from consumers.engine.state_store import StateStore

log = structlog.get_logger(__name__)

# No JSON, and nothing that a handler writes.
LOST_STATE: Final = b"\x00lost with a torn transaction"
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
    first = here = max(first, min(part[0], end))
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


async def mend(
    tails: Mapping[str, TopicTail], state: str, transactions: Transactions, states: StateStore, found: ProgressRecord
) -> tuple[ProgressRecord, str | None]:
    """Heal the torn transaction, if there is one, and number the next ones.

    `tails` are those of all topics of the engine, of which `state` names one. `states` get what is healed, and `found`
    is the progress so far.

    Return the progress, and "healed", "lost" or None. Raises as `Transactions.commit`.
    """
    newest = max(tail.numbered.newest() for tail in tails.values())
    number = max(tail.numbered.newest(is_committed=True) for tail in tails.values())
    aborted = {topic: tail.numbered.records(number, is_committed=False) for topic, tail in tails.items()}
    # Without a known number, Unix milliseconds are above every earlier number: a worker commits less often.
    last = max(newest, found.number) or time.time_ns() // 1_000_000
    transactions.count_from(last, {topic: tail.end for topic, tail in tails.items()})
    shape = found
    if found.number < number:  # `state` lacks it: its progress may be among the aborted records
        shape = readable(next((record.value for record in aborted[state] if record.key == PROGRESS_KEY), None))
    missing = [
        topic
        for topic, part in shape.parts.items()
        if topic in tails and tails[topic].lacks(shape.number, part, aborted[topic])
    ] or [state] * (shape.number < number)
    if not missing:
        if newest > number:  # else the next start reads the aborted records again
            await transactions.commit((), found.progress, found.second_source_at)
        return found, None
    whole = {topic: part for topic in missing if len(part := aborted[topic]) == shape.parts.get(topic, (0, -1, 0))[1]}
    where = {"partition": transactions.partition, "number": number}
    log.error("engine.transaction_torn", **where, missing=missing, healed=list(whole))
    if whole:
        await transactions.repeat(whole)
        states.absorb(whole.get(state, ()))
    found = shape if state in whole else found
    if len(whole) == len(missing):
        return found, "healed"
    shown = {
        input_key(record.key) if topic == state else record.key
        for topic, tail in tails.items()
        for record in tail.numbered.records(number, is_committed=True)
        if record.key not in {None, *RESERVED_KEYS}
    }
    lost = [state_record(state, key, LOST_STATE, time.time()) for key in shown]
    states.absorb(lost)
    await transactions.commit(
        [PendingCommit((), one, None, 0, None) for one in lost], found.progress, found.second_source_at
    )
    return found, "lost"
