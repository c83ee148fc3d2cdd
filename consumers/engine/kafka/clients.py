"""The three aiokafka clients of an engine, the options that its promises rest on, and how to discard a producer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from consumers.engine.settings import EngineSettings

_FETCH_BYTES = 2 * 1024 * 1024
# Twelve partitions restore at once: what all of them have fetched is never given back to the machine (glibc), and with
# more of it at a time costs as much as half the memories.
_RESTORE_FETCH_BYTES = 256 * 1024
_BATCH_BYTES = 512 * 1024
_STOP_SECONDS = 2.0


def group_consumer(settings: EngineSettings) -> AIOKafkaConsumer:
    """Make the consumer of the input topic. It never commits, and never decides by itself where to read."""
    return AIOKafkaConsumer(
        **settings.client(),
        group_id=settings.group,
        group_instance_id=settings.member,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        session_timeout_ms=int(settings.session_seconds * 1000),
        heartbeat_interval_ms=int(settings.heartbeat_seconds * 1000),
        rebalance_timeout_ms=int(settings.session_seconds * 1000),
        max_poll_records=1_000,
        max_partition_fetch_bytes=_FETCH_BYTES,
        request_timeout_ms=15_000,
        metadata_max_age_ms=30_000,
    )


def restoring_consumer(settings: EngineSettings) -> AIOKafkaConsumer:
    """Make a consumer without a group, to read one partition of the `state` topic once."""
    return AIOKafkaConsumer(
        **settings.client(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_RESTORE_FETCH_BYTES,
        request_timeout_ms=15_000,
    )


def transactional_producer(settings: EngineSettings, partition: int) -> AIOKafkaProducer:
    """Make the producer that owns a partition. Starting it fences every earlier owner."""
    return AIOKafkaProducer(
        **settings.client(),
        transactional_id=settings.transactional_id(partition),
        transaction_timeout_ms=int(settings.transaction_timeout_seconds * 1000),
        acks="all",
        linger_ms=0,
        max_batch_size=_BATCH_BYTES,
        request_timeout_ms=10_000,
    )


async def discard(producer: AIOKafkaProducer) -> None:
    """Stop a producer within a bound: `stop()` may wait for ever on batches that can't be delivered."""
    for waiter in _forgotten(producer):
        waiter.add_done_callback(_look_at)
    with suppress(TimeoutError, KafkaError, AssertionError):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.stop()
        return
    sender = producer._sender.sender_task  # noqa: SLF001 - the only way to end a producer that does not stop
    for _ in range(2):  # the first cancel ends the routine, the second what it then waits for
        if sender is not None and not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=0.5)
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(_STOP_SECONDS):
            await producer.client.close()


def _forgotten(producer: AIOKafkaProducer) -> list[asyncio.Future[None]]:
    """Find the futures that nobody awaits once a transaction has failed: asyncio would log each with a traceback."""
    # aiokafka keeps them to itself.
    accumulator = producer._message_accumulator  # noqa: SLF001 - same
    transaction = producer._txn_manager._transaction_waiter  # noqa: SLF001 - same
    batches = [*accumulator._pending_batches, *chain.from_iterable(accumulator._batches.values())]  # noqa: SLF001 - same
    waiters = [batch._drain_waiter for batch in batches] + [batch.future for batch in batches]  # noqa: SLF001 - same
    return waiters if transaction is None else [*waiters, transaction]


def _look_at(waiter: asyncio.Future[None]) -> None:
    if not waiter.cancelled():
        waiter.exception()
