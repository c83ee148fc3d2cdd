"""Clients over TLS are closed at once, also if a fetch is in flight."""

import asyncio
import subprocess
import sys
import time

import uvloop
from aiokafka import AIOKafkaProducer, TopicPartition

from adapters.kafka.aiokafka_internals import stop_consumer
from adapters.kafka.clients import groupless_consumer
from local.processes.patience import slowness
from runtime.settings import KafkaSettings
from schemas.topics import catalogue

# With aiokafka's own `stop()`, half of the consumers wait for 30 s, on the loop of the processes: uvloop.
CONSUMERS, RECORDS, WITHIN_SECONDS = 12, 100, 10.0


async def test_a_consumer_with_a_fetch_in_flight_stops_at_once(to_secured, secured, administrator, access_of, prefix):
    await administrator.create_topics(prefix)
    async with AIOKafkaProducer(bootstrap_servers=f"127.0.0.1:{secured.ports['PLAINTEXT']}") as producer:
        for _ in range(RECORDS):
            await producer.send_and_wait(catalogue(prefix).events.name, b"x" * 500, partition=0)
    await administrator.allow("ingress", *access_of("ingress"))
    settings = to_secured("SASL_SSL", user="ingress").model_dump_json(exclude_unset=True)
    command = [sys.executable, "-m", __name__, settings, catalogue(prefix).events.name]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < WITHIN_SECONDS * slowness()


async def longest_stop(settings, topic):
    """Return the longest of many stops at the same time, in seconds."""

    async def stop_seconds():
        consumer = groupless_consumer(settings, reset="earliest")
        await consumer.start()
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        while await consumer.position(partition) < RECORDS:
            await consumer.getmany(timeout_ms=200)
        began = time.monotonic()
        await stop_consumer(consumer)
        return time.monotonic() - began

    return max(await asyncio.gather(*(stop_seconds() for _ in range(CONSUMERS))))


if __name__ == "__main__":
    print(uvloop.run(longest_stop(KafkaSettings.model_validate_json(sys.argv[1]), sys.argv[2])))
