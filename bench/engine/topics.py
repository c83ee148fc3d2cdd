"""Topics for a benchmark: creates and fills them, and checks that no outcome is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

_ROLES = ("commands", "events", "state")
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The checker's counts over the outcomes of a run."""

    outcomes: int
    lost: int
    doubled: int
    out_of_order: int

    @property
    def is_clean(self) -> bool:
        """Whether no outcome is lost, doubled or out of order."""
        return not (self.lost or self.doubled or self.out_of_order)

    def __str__(self) -> str:
        """Return the text for a cell of a table."""
        return "clean" if self.is_clean else f"{self.lost} lost, {self.doubled} doubled, {self.out_of_order} unordered"


async def make_topics(bootstrap: str, partitions: int) -> str:
    """Create the input, the events and the state topic under a new prefix, and return the prefix."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(prefix + role, partitions, 1) for role in _ROLES])
    finally:
        await admin.close()
    await asyncio.sleep(_SETTLE_SECONDS)
    return prefix


def key_of(number: int, keys: int) -> bytes:
    """Return the key of the record with that number."""
    return b"key-%d" % (number % keys)


async def fill(
    bootstrap: str, prefix: str, *, partitions: int, keys: int, records: int, value_bytes: int = 100
) -> None:
    """Append records with alternating keys; every key stays on one partition."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5, max_batch_size=1 << 18
    )
    await producer.start()
    value = b"x" * value_bytes
    try:
        for start in range(0, records, 5_000):
            await asyncio.gather(
                *[
                    await producer.send(
                        f"{prefix}commands", value, key=key_of(number, keys), partition=number % keys % partitions
                    )
                    for number in range(start, min(start + 5_000, records))
                ]
            )
    finally:
        await producer.stop()


async def check(bootstrap: str, prefix: str, *, partitions: int, records: int) -> Verdict:
    """Read all committed outcomes and compare them with the input: each offset once, in order per key."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=None, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    sources = [TopicPartition(f"{prefix}events", partition) for partition in range(partitions)]
    consumer.assign(sources)
    ends = await consumer.end_offsets(sources)
    seen: set[tuple[int, int]] = set()
    last: dict[bytes, int] = defaultdict(lambda: -1)
    outcomes = out_of_order = 0
    try:
        while any([await consumer.position(source) < ends[source] for source in sources]):
            for fetched in (await consumer.getmany(timeout_ms=500)).values():
                for record in fetched:
                    offset = int(dict(record.headers)["offset"])
                    outcomes += 1
                    out_of_order += offset <= last[record.key]
                    last[record.key] = max(offset, last[record.key])
                    seen.add((record.partition, offset))
    finally:
        await consumer.stop()
    return Verdict(outcomes, records - len(seen), outcomes - len(seen), out_of_order)
