"""Topics for a benchmark: creates and fills them, and checks that no outcome is lost, doubled or out of order."""

import asyncio
import uuid
from collections import defaultdict
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.harness import append

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


def place(number: int, keys: int, partitions: int) -> tuple[bytes, int]:
    """Return the key of the record with that number, and its partition: every key stays on one."""
    return b"key-%d" % (number % keys), number % keys % partitions


async def fill(bootstrap: str, prefix: str, *, partitions: int, keys: int, records: int) -> None:
    """Append records of 100 bytes with alternating keys."""
    places = (place(number, keys, partitions) for number in range(records))
    made = ({"value": b"x" * 100, "key": key, "partition": partition} for key, partition in places)
    await append(bootstrap, f"{prefix}commands", made)


async def check(bootstrap: str, prefix: str, *, partitions: int, records: int) -> Verdict:
    """Read all committed outcomes and compare them with the input: each offset once, in order per key."""
    sources = [TopicPartition(f"{prefix}events", partition) for partition in range(partitions)]
    seen: set[tuple[int, int]] = set()
    last: dict[bytes, int] = defaultdict(lambda: -1)
    outcomes = out_of_order = 0
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(sources)
        ends = await consumer.end_offsets(sources)
        while any([await consumer.position(source) < ends[source] for source in sources]):
            for fetched in (await consumer.getmany(timeout_ms=500)).values():
                for record in fetched:
                    offset = int(dict(record.headers)["offset"])
                    outcomes += 1
                    out_of_order += offset <= last[record.key]
                    last[record.key] = max(offset, last[record.key])
                    seen.add((record.partition, offset))
    return Verdict(outcomes, records - len(seen), outcomes - len(seen), out_of_order)
