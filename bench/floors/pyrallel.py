"""pyrallel-consumer with the HTTP call of `bench.engine http`: ordered per key, at least once, without outcomes.

It runs in an interpreter of its own, because it needs Python 3.12. Arguments: bootstrap, topic, address, records. It
prints a JSON line when all records are finished.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import resource
import sys
import time
import uuid
from typing import Any

from bench.http_calls import caller

_SLOTS = 2_048


async def _main(bootstrap: str, topic: str, address: str, records: int) -> None:
    pyrallel: Any = importlib.import_module("pyrallel_consumer.consumer")
    config = importlib.import_module("pyrallel_consumer.config").KafkaConfig(
        BOOTSTRAP_SERVERS=bootstrap, CONSUMER_GROUP=uuid.uuid4().hex, dlq_enabled=False
    )
    config.parallel_consumer.execution.max_in_flight = _SLOTS
    config.parallel_consumer.worker_pool_size = _SLOTS  # keys with the same hash modulo this number wait for each other
    call, done = await caller(address), asyncio.Event()
    finished, began = 0, 0.0

    async def work(_item: object) -> None:
        nonlocal finished, began
        began = began or time.perf_counter()
        await call()
        finished += 1
        if finished == records:
            done.set()

    consumer = pyrallel.PyrallelConsumer(config, work, topic)
    await consumer.start()
    await done.wait()
    seconds, usage = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": seconds, "cpuSeconds": usage.ru_utime + usage.ru_stime}), flush=True)
    await consumer.stop()


if __name__ == "__main__":
    _bootstrap, _topic, _address, _records = sys.argv[1:]
    asyncio.run(_main(_bootstrap, _topic, _address, int(_records)))
