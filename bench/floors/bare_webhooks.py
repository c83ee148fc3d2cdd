"""The floor of the deliverer: an aiokafka consumer and aiohttp, in order per key, without promises.

It signs nothing, retries nothing, stores nothing, checks no address, and commits offsets every second.
`python -m bench.floors.bare_webhooks BOOTSTRAP TOPIC GROUP URL CONCURRENCY` runs until it is killed.
"""

import asyncio
import sys
from collections import deque

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from schemas.cloudevents import from_kafka, to_http

_MOST_UNFINISHED = 6_000


class BareDeliverer:
    """One task for each key that has records."""

    def __init__(self, url: str, concurrency: int) -> None:
        self._url = url
        self._slots = asyncio.Semaphore(concurrency)
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency))
        self._queues: dict[bytes, deque[ConsumerRecord]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.unfinished = 0

    def add(self, record: ConsumerRecord) -> None:
        """Queue a record behind those of its key."""
        self.unfinished += 1
        if record.key in self._queues:
            self._queues[record.key].append(record)
            return
        self._queues[record.key] = deque([record])
        task = asyncio.create_task(self._work(record.key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, key: bytes) -> None:
        queue = self._queues[key]
        while queue:
            record = queue.popleft()
            headers, body = to_http(from_kafka(record.headers, record.value))
            async with self._slots, self._client.post(self._url, headers=headers, data=body) as response:
                response.raise_for_status()
            self.unfinished -= 1
        del self._queues[key]


async def main() -> None:
    """Deliver until killed."""
    bootstrap, topic, group, url, concurrency = sys.argv[1:]
    deliverer = BareDeliverer(url, int(concurrency))
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        auto_commit_interval_ms=1_000,
    ) as consumer:
        while True:
            for records in (await consumer.getmany(timeout_ms=100, max_records=1_000)).values():
                for record in records:
                    deliverer.add(record)
            while deliverer.unfinished > _MOST_UNFINISHED:  # noqa: ASYNC110 - the tasks finish records one by one
                await asyncio.sleep(0.005)


if __name__ == "__main__":
    uvloop.run(main())
