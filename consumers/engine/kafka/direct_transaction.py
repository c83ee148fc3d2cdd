"""One transaction at a time whose requests go to the brokers directly, without aiokafka's background sender.

    begin -> AddPartitionsToTxn -> a ProduceRequest for each leader, all at a time -> every confirmation -> EndTxn
          -> InitProducerId, if a request of this transaction got no answer

A request without an answer may still arrive, and a late EndTxn would commit half of the next transaction. So such a
transaction ends its epoch: the coordinator and the leaders refuse what arrives later.

The producer's own sender initialises the id and writes nothing. A request is repeated until its response is final,
without a limit: set a deadline. After any failure, or a cancellation, the outcome is unknown and the producer is
useless: discard it.
"""

from __future__ import annotations

import asyncio
import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaError

from adapters.kafka.aiokafka_internals import (
    begin_transaction,
    build_batch,
    end_transaction,
    forget_transaction_coordinator,
    replace_epoch,
    transaction_coordinator,
    transaction_timeout_ms,
)
from consumers.engine.kafka import transaction_requests as requests
from consumers.engine.kafka.clients import REQUEST_TIMEOUT_MS
from consumers.engine.kafka.new_epoch import NewEpochRequest
from consumers.engine.kafka.transaction_requests import PartitionBatch, Reaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence

    from aiokafka import AIOKafkaProducer
    from aiokafka.producer.message_accumulator import BatchBuilder

    from adapters.kafka.aiokafka_internals import ProducerIdentity

log = structlog.get_logger(__name__)

# The coordinator writes the markers of the transaction before; that takes a millisecond or two on an idle broker.
_FIRST_SOON_SECONDS: Final = 0.002
_LAST_SOON_SECONDS: Final = 0.02
# A lost answer is most often one closed connection, and a whole partition waits for the repeat.
_FIRST_RETRY_SECONDS: Final = 0.02
_LAST_RETRY_SECONDS: Final = 0.1


class DirectTransaction:
    """Writes and commits the transactions of one started producer."""

    def __init__(self, producer: AIOKafkaProducer, on_epoch_replaced: Callable[[], None] = lambda: None) -> None:
        self._producer = producer
        self._on_epoch_replaced = on_epoch_replaced
        self._unanswered: str | None = None  # the last request of this transaction without an answer
        self.identity: ProducerIdentity  # of the last transaction
        self._targets: Collection[TopicPartition] = ()
        self._offsets: dict[str, int] = {}

    async def write(self, builders: Mapping[str, Sequence[BatchBuilder]], partition: int) -> dict[str, int]:
        """Begin a transaction and write each topic's batches, in order, to this partition.

        Return, when all are written, the offset of each topic's first record.

        Raises KafkaFailure: discard the producer.
        """
        self.identity = begin_transaction(self._producer)
        batches = {
            target: [PartitionBatch(target, build_batch(self._producer, builder, target)) for builder in of_topic]
            for target, of_topic in ((TopicPartition(topic, partition), item) for topic, item in builders.items())
        }
        self._targets = targets = list(batches)
        self._offsets = {}
        if not targets:
            return self._offsets
        await self._send_to_coordinator(
            requests.add_partitions(self.identity, targets),
            lambda response: requests.partitions_added(response, targets),
        )
        # A request has one batch for each partition, and a partition's batches are written in order.
        for together in zip_longest(*batches.values()):
            await self._write([batch for batch in together if batch is not None], is_repeat=False)
        return self._offsets

    async def commit(self) -> None:
        """Commit what `write` has written.

        Raises KafkaFailure: the outcome is unknown, or the epoch could not be replaced; discard the producer.
        """
        if self._targets:
            await self._send_to_coordinator(requests.commit(self.identity), requests.committed)
        end_transaction(self._producer)
        if self._unanswered is not None:
            await self._replace_epoch(self._unanswered)

    async def _replace_epoch(self, unanswered: str) -> None:
        """End the epoch. Raises KafkaFailure if the id has another owner, or if this request gets no answer."""
        began = time.monotonic()
        request = NewEpochRequest(self.identity, transaction_timeout_ms(self._producer))
        response = await self._send_to_coordinator(request, requests.committed, may_repeat=False)
        replace_epoch(self._producer, response.producer_id, response.producer_epoch)
        self._unanswered = None
        self._on_epoch_replaced()
        log.warning(
            "engine.epoch_replaced",
            transactional_id=self.identity.transactional_id,
            unanswered=unanswered,
            seconds=round(time.monotonic() - began, 3),
        )

    async def _send_to_coordinator(
        self, request: Any, react: Callable[[Any], Reaction | KafkaError], *, may_repeat: bool = True
    ) -> Any:
        """Return the response that the request needs. `may_repeat`: also without an answer."""
        soon, pause = _FIRST_SOON_SECONDS, _FIRST_RETRY_SECONDS
        while True:
            try:
                node = await transaction_coordinator(self._producer)
                response = await self._producer.client.send(node, request, group=ConnectionGroup.COORDINATION)
            except (RuntimeError, KeyError) as failure:
                self._note_unanswered(request, failure)
                if not may_repeat or not requests.is_retriable(failure):
                    raise
                reaction: Reaction | KafkaError = Reaction.FIND_COORDINATOR
                cause: Any = failure
            else:
                reaction = react(response)
                cause = response
            match reaction:
                case Reaction.CONTINUE:
                    return response
                case Reaction.RETRY_SOON:
                    await asyncio.sleep(soon)
                    soon = min(2 * soon, _LAST_SOON_SECONDS)
                    continue
                case Reaction.FIND_COORDINATOR:
                    forget_transaction_coordinator(self._producer)
                case KafkaError():
                    raise reaction
            pause = await self._pause_before_repeat(request, cause, pause)

    async def _write(self, batches: Sequence[PartitionBatch], *, is_repeat: bool) -> None:
        """Send the batches to their leaders until all are written. `is_repeat`: they may have reached one before."""
        pause = _FIRST_RETRY_SECONDS
        while batches:
            groups = requests.by_leader(batches, self._producer.client.cluster.leader_for_partition)
            if len(groups) > 1:
                await _all(self._write(group, is_repeat=is_repeat) for group in groups.values())
                return
            (leader,) = groups
            if leader is None:
                await self._find_leaders(batches)
                continue
            request = requests.produce(self.identity, batches, REQUEST_TIMEOUT_MS)
            try:
                response = await self._producer.client.send(leader, request)
            except (RuntimeError, KeyError) as failure:
                self._note_unanswered(request, failure)
                result = requests.not_produced(failure, batches)
                cause: Any = failure
            else:
                result = requests.produced(response, batches, is_repeat=is_repeat)
                cause = response
            if isinstance(result, Exception):
                raise result
            for target, offset in result.offsets.items():
                self._offsets.setdefault(target.topic, offset)
            batches = result.unwritten
            is_repeat = is_repeat or result.was_sent
            if batches:
                if result.needs_metadata:
                    self._producer.client.force_metadata_update()
                pause = await self._pause_before_repeat(request, cause, pause)

    async def _find_leaders(self, batches: Iterable[PartitionBatch]) -> None:
        """Request metadata, and wait for it or for a pause: the node that answers may be frozen."""
        for batch in batches:
            self._producer.client.add_topic(batch.target.topic)
        await asyncio.wait({self._producer.client.force_metadata_update()}, timeout=_LAST_RETRY_SECONDS)
        if None in requests.by_leader(batches, self._producer.client.cluster.leader_for_partition):
            await asyncio.sleep(_LAST_RETRY_SECONDS)

    def _note_unanswered(self, request: Any, failure: Exception) -> None:
        if requests.may_arrive(failure):
            self._unanswered = type(request).__name__

    async def _pause_before_repeat(self, request: Any, cause: Any, pause: float) -> float:
        """Pause, and return the next pause."""
        log.warning(
            "engine.request_repeated",
            transactional_id=self.identity.transactional_id,
            request=type(request).__name__,
            detail=repr(cause),
        )
        await asyncio.sleep(pause)
        return min(2 * pause, _LAST_RETRY_SECONDS)


async def _all(writes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of them; the first failure ends the others.

    Not a TaskGroup: before Python 3.11.4 a failed task leaves `cancelling()` at 1, so the next `asyncio.timeout`
    re-raises CancelledError, and the partition's task ends.
    """
    tasks = [asyncio.create_task(write) for write in writes]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
