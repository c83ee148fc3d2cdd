"""Follow prior authorizations through the gateway's topics: first the state of each, then every event once, in order.

    python subscriber.py localhost:9092 collate-gateway.

Needs aiokafka and nothing of the gateway. docs/subscribing.md explains the order of the steps.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

# A number that is not greater, so long after the last event, begins a new life of the authorization.
NEW_LIFE_MILLISECONDS = 12 * 3600 * 1000


async def follow(bootstrap: str, prefix: str, **security: Any) -> AsyncIterator[tuple[str, str, int, dict[str, Any]]]:
    """Yield (authorization, type, sequence, data); the type `state` is the state before the first event."""
    kafka = {"bootstrap_servers": bootstrap, **security}
    committed = kafka | {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
    async with (
        AIOKafkaConsumer(f"{prefix}events", **committed) as events,
        AIOKafkaConsumer(f"{prefix}authorizations", **committed) as authorizations,
        AIOKafkaConsumer(**kafka) as uncommitted,
    ):
        for partition, offset in (await events.end_offsets(events.assignment())).items():
            events.seek(partition, offset)
        ends = await uncommitted.end_offsets(authorizations.assignment())
        last: dict[str, tuple[int, int]] = {}  # by authorization: sequence, timestamp in milliseconds
        for authorization, record in (await read_until(authorizations, ends)).items():
            last[authorization] = int(header(record, "ce_sequence")), record.timestamp
            yield authorization, "state", last[authorization][0], json.loads(record.value)
        async for record in events:
            authorization, sequence = record.key.decode(), int(header(record, "ce_sequence"))
            before, at = last.get(authorization, (sequence - 1, record.timestamp))
            if sequence <= before and record.timestamp - at > NEW_LIFE_MILLISECONDS:
                before = 0
            if sequence > before + 1:
                raise RuntimeError(f"{authorization}: events between {before} and {sequence} are lost; join again")
            if sequence == before + 1:  # else the state includes it
                last[authorization] = sequence, record.timestamp
                yield authorization, header(record, "ce_type"), sequence, json.loads(record.value)


async def read_until(consumer: AIOKafkaConsumer, ends: dict[Any, int]) -> dict[str, ConsumerRecord]:
    """Return the last record of each key; a record without a value has removed its key."""
    last: dict[str, ConsumerRecord] = {}
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            last |= {record.key.decode(): record for record in records}
    return {key: record for key, record in last.items() if record.value is not None}


def header(record: ConsumerRecord, name: str) -> str:
    """Return a CloudEvents attribute."""
    return str(dict(record.headers)[name], "utf-8")


async def main() -> None:
    """Print each state and event as a line of JSON."""
    async for item in follow(sys.argv[1], sys.argv[2]):
        print(json.dumps(item), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
