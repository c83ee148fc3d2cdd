"""The floor of a restore: read a topic's only partition to its end, and keep the last value of each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition

if TYPE_CHECKING:
    import asyncio


class BareReading:
    """A read of one partition."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._source = TopicPartition(topic, 0)
        self.values: dict[bytes, bytes] = {}
        self.is_ready = False

    async def run(self, stop: asyncio.Event) -> None:
        """Read to the end, then wait."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, group_id=None, isolation_level="read_committed",
            enable_auto_commit=False, auto_offset_reset="earliest",
        )  # fmt: skip
        await consumer.start()
        try:
            consumer.assign([self._source])
            end = (await consumer.end_offsets([self._source]))[self._source]
            while await consumer.position(self._source) < end:
                for records in (await consumer.getmany(timeout_ms=500, max_records=5_000)).values():
                    for record in records:
                        self.values[record.key] = record.value
        finally:
            await consumer.stop()
        self.is_ready = True
        await stop.wait()
