"""The three aiokafka clients of an engine, with the options that its guarantees require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

if TYPE_CHECKING:
    from consumers.engine.settings import EngineSettings

_FETCH_BYTES = 2 * 1024 * 1024
# Twelve partitions restore at a time, and glibc never returns the memory of their fetches to the system. Larger fetches
# would cost half as much memory as the states themselves.
_RESTORE_FETCH_BYTES = 256 * 1024
_BATCH_BYTES = 512 * 1024


def group_consumer(settings: EngineSettings) -> AIOKafkaConsumer:
    """Make the consumer of the input topic. It never commits and never chooses an offset itself."""
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
    """Make a consumer without a group, which reads one partition of the `state` topic once."""
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
    """Make the producer that owns a partition. Its start fences every earlier owner."""
    return AIOKafkaProducer(
        **settings.client(),
        transactional_id=settings.transactional_id(partition),
        transaction_timeout_ms=int(settings.transaction_timeout_seconds * 1000),
        acks="all",
        linger_ms=0,
        max_batch_size=_BATCH_BYTES,
        request_timeout_ms=10_000,
    )
