"""Two common designs as floors of the engine: a serial consumer, and one transaction per record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from aiokafka import ConsumerRecord


class SimpleLoop:
    """One record after another, with or without a transaction for each."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        handler: Callable[[ConsumerRecord], Awaitable[None]],
        committed: Callable[[int], None],
        *,
        transactional: bool,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._handler = handler
        self._committed = committed
        self._transactional = transactional

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set."""
        group = f"{self._prefix}simple"
        consumer = AIOKafkaConsumer(
            f"{self._prefix}commands",
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            transactional_id=f"{group}-0" if self._transactional else None,
        )
        await consumer.start()
        await producer.start()
        try:
            while not stop.is_set():
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        await self._handler(record)
                        await self._publish(producer, record, group)
                        self._committed(1)
                        if stop.is_set():
                            return
                    if not self._transactional:
                        await consumer.commit()
        finally:
            await producer.stop()
            await consumer.stop()

    async def _publish(self, producer: AIOKafkaProducer, record: ConsumerRecord, group: str) -> None:
        headers = [("offset", b"%d" % record.offset)]
        events = f"{self._prefix}events"
        if not self._transactional:
            await producer.send(events, record.value, key=record.key, partition=record.partition, headers=headers)
            return
        await producer.begin_transaction()
        sent = await producer.send(events, record.value, key=record.key, partition=record.partition, headers=headers)
        await sent
        source = TopicPartition(record.topic, record.partition)
        await producer.send_offsets_to_transaction({source: OffsetAndMetadata(record.offset + 1, "")}, group)
        await producer.commit_transaction()
