"""Topics for a benchmark: creates and fills them."""

import asyncio
import uuid

from aiokafka.admin import NewTopic

from bench.harness import append
from local.kafka.admin import admin_of

_ROLES = ("commands", "events", "state")
_SETTLE_SECONDS = 0.5


async def make_topics(bootstrap: str, partitions: int) -> str:
    """Create the input, the events and the state topic under a new prefix, a copy on each broker; return the prefix."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}-"
    async with admin_of(bootstrap) as admin:
        await admin.create_topics([NewTopic(prefix + role, partitions, len(bootstrap.split(","))) for role in _ROLES])
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
