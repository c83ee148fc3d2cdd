"""A process on `process.run` that behaves as its argument says; test_process.py starts it."""

import asyncio
import sys
from pathlib import Path

from adapters.kafka.topics import wanted_topics
from adapters.kafka.wait_for_topics import wait_for_topics
from runtime.exits import StartupError
from runtime.process import run
from runtime.settings import AdminSettings, CollateSettings, KafkaSettings, Settings
from schemas.topics import catalogue


async def works(process):
    process.health.set("work", "ok", "nothing to do")
    process.partition_status = lambda: {"keyQueues": [{"key": "a", "reason": "breaker"}]}
    process.log.info("working")
    await process.stop.wait()
    process.log.info("drained")


async def drains_without_end(process):
    await works(process)
    await asyncio.Event().wait()


async def blocks_when_stopping(process):
    await works(process)
    while True:
        pass


async def has_a_task_that_fails(process):
    async def fail():
        raise LookupError("no such record")

    process.spawn("reader", fail())
    await works(process)


async def has_a_task_that_returns(process):
    async def nothing():
        pass

    process.spawn("reader", nothing())
    await works(process)


async def raises(_process):
    raise LookupError("at the start")


async def raises_startup_error(_process):
    raise StartupError(["first reason", "second reason"])


async def waits_for_kafka(process):
    settings = make_settings()
    wanted = wanted_topics(catalogue("t."), settings.topics)
    arrived = await wait_for_topics(
        settings.kafka, wanted, process.health, process.stop, process.log, every_seconds=0.2
    )
    process.log.info("waited", arrived=arrived)


def make_settings():
    return Settings(
        environment="test",
        kafka=KafkaSettings(bootstrap=("127.0.0.1:1",)),
        collate=CollateSettings(base_url="https://collate.test", api_key_file=Path(sys.argv[3])),
        admin=AdminSettings(host="127.0.0.1", port=int(sys.argv[2])),
    )


sys.exit(run("program", make_settings(), globals()[sys.argv[1]], stop_deadline_seconds=0.5))
