"""The three aiokafka clients of an engine, with the options that its guarantees require.

A broker that is cut off from its peers answers requests for metadata from old memory: it calls itself the leader. The
other brokers no longer list it. So every client refreshes often, and producers and restoring consumers start from the
brokers that the group's consumer knows, not from the configured ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from adapters.kafka.aiokafka_internals import accept_fatal_error, known_brokers

if TYPE_CHECKING:
    from consumers.engine.settings import EngineSettings

_FETCH_BYTES = 2 * 1024 * 1024
# Twelve partitions restore at a time, and glibc never returns the memory of their fetches to the system. Larger fetches
# would cost half as much memory as the states themselves.
_RESTORE_FETCH_BYTES = 256 * 1024
_BATCH_BYTES = 512 * 1024
# A write that a cut-off leader does not confirm fails after this time, and its transaction's deadline is 20 s: the
# producer must know the new leader by then.
REQUEST_TIMEOUT_MS = 10_000
# A random broker answers. If one of three is cut off, a client follows it for at most four refreshes in 99 of 100
# cases: 12 s. A refresh costs less than a millisecond.
_METADATA_MAX_AGE_MS = 3_000


def group_consumer(settings: EngineSettings) -> AIOKafkaConsumer:
    """Make the consumer of the input topic. It never commits and never chooses an offset itself."""
    return AIOKafkaConsumer(
        **settings.client(),
        group_id=settings.group,
        group_instance_id=settings.member,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        client_rack=settings.client_rack,
        session_timeout_ms=int(settings.session_seconds * 1000),
        heartbeat_interval_ms=int(settings.heartbeat_seconds * 1000),
        rebalance_timeout_ms=int(settings.session_seconds * 1000),
        max_poll_records=1_000,
        max_partition_fetch_bytes=_FETCH_BYTES,
        request_timeout_ms=15_000,
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
    )


def restoring_consumer(settings: EngineSettings, consumer: AIOKafkaConsumer) -> AIOKafkaConsumer:
    """Make a consumer without a group, which reads one partition of the `state` topic once.

    `consumer` is the started group consumer, here and in `transactional_producer`.
    """
    return AIOKafkaConsumer(
        **_beside(consumer, settings),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_RESTORE_FETCH_BYTES,
        request_timeout_ms=15_000,
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
    )


def transactional_producer(settings: EngineSettings, partition: int, consumer: AIOKafkaConsumer) -> AIOKafkaProducer:
    """Make the producer that owns a partition. Its start fences every earlier owner."""
    producer = AIOKafkaProducer(
        **_beside(consumer, settings),
        transactional_id=settings.transactional_id(partition),
        transaction_timeout_ms=int(settings.transaction_timeout_seconds * 1000),
        acks="all",
        linger_ms=0,
        max_batch_size=_BATCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
    )
    return accept_fatal_error(producer)


def _beside(consumer: AIOKafkaConsumer, settings: EngineSettings) -> dict[str, Any]:
    options = dict(settings.client())
    if brokers := known_brokers(consumer):
        options["bootstrap_servers"] = brokers
    return options
