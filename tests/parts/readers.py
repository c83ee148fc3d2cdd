"""Two readers of `events` that are not aiokafka: librdkafka, killed again and again, and Kafka's console consumer.

Workers and brokers are killed under load. Each reader's history must keep the rules of `gateway check promises`, and
each must have read what the log has, no more and no less.
"""

import asyncio
import logging
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from local.judge.whole_topic import read_topic
from local.kafka.broker import java
from local.kafka.jars import fetch, read_lock
from local.processes.cache import cache_directory
from local.scene.faults import FaultInjector
from local.scene.scene import Scene, Setup, open_scene, progress
from schemas.promises.partition import SeenPartition
from schemas.promises.seen import SeenEvent, logged_event
from tests.parts.page import lines

SECONDS = 90.0
CASES_PER_SECOND = 2.0
# A reader is killed so often; Kafka then waits for its session.
KILLED_EVERY_SECONDS = 15.0
SESSION = "session.timeout.ms=6000\n"
CAUGHT_UP_WITHIN_SECONDS = 60.0
CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
PRINTED = ("timestamp", "partition", "offset", "headers", "key")


class Read(NamedTuple):
    """A record as a reader saw it."""

    partition: int
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    timestamp: int


def play() -> list[str]:
    """Return what was red."""
    return asyncio.run(_play())


async def _play() -> list[str]:
    log = progress()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it reports each try to reach a killed broker
    setup = Setup(name="readers", brokers=3, has_read_model=False)
    async with open_scene(setup, log) as scene:
        topic = f"{setup.prefix}events"
        await _abort(scene, topic)
        outputs = {name: scene.run.directory / f"{name}-read" for name in ("librdkafka", "console")}
        commands = {name: _command(scene, name, topic) for name in outputs}

        def start(name: str) -> None:
            # Only records go to the output; logs go to the log.
            argv = ["sh", "-c", 'exec "$@" >>"$0"', str(outputs[name]), *commands[name]]
            readers[name] = scene.run.spawn(argv, log=scene.run.directory / f"{name}.log")

        async def kill() -> None:
            while True:
                await asyncio.sleep(KILLED_EVERY_SECONDS)
                readers["librdkafka"].kill()
                start("librdkafka")

        readers = {}
        for name in outputs:
            start(name)
        end, faults = time.monotonic() + SECONDS, FaultInjector(scene, log)
        killing = asyncio.create_task(kill())
        load = asyncio.create_task(scene.callers.run_until(end, CASES_PER_SECOND))
        while not scene.callers.authorizations:  # noqa: ASYNC110 - the first case adds one immediately
            await asyncio.sleep(0.05)
        await faults.inject_until(end)
        await faults.restore()
        await scene.end_load(load, CAUGHT_UP_WITHIN_SECONDS)
        killing.cancel()
        await _abort(scene, topic)
        deadline = time.monotonic() + CAUGHT_UP_WITHIN_SECONDS
        while True:
            # The log is read last: nothing that is committed can be missing in it.
            reads = {name: parsed(output.read_bytes()) for name, output in outputs.items()}
            events = await _whole(scene, topic, "read_committed")
            red = differences("aiokafka", events, events)
            red += [line for name, read in reads.items() for line in differences(name, read, events)]
            if not red or time.monotonic() > deadline:
                break
            await asyncio.sleep(2)
        hidden = len(await _whole(scene, topic, "read_uncommitted")) - len(events)
        log(f"{len(events)} events, {hidden} aborted records, {faults.kills.total()} kills: {dict(faults.kills)}")
        log(", ".join(f"{name} read {len(read)}, {len(read) - len(set(read))} again" for name, read in reads.items()))
        return red if hidden > 0 else [*red, "no record was aborted: no reader could see one"]


def _command(scene: Scene, name: str, topic: str) -> list[str]:
    properties = scene.run.directory / f"{name}.properties"
    page = lines("properties", "subscribing.md").replace("group.id=", f"group.id={name}-")
    if name == "librdkafka":
        properties.write_text(f"{page}{SESSION}bootstrap.servers={scene.cluster.bootstrap}\n")
        return [sys.executable, str(Path(__file__).with_name("librdkafka_reader.py")), str(properties), topic]
    properties.write_text(page)
    jars = fetch(read_lock(), cache_directory() / "jars")
    return [
        *(str(java()), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.apache.logging.log4j.level=OFF"),
        *("-cp", ":".join(map(str, jars)), CONSOLE_CONSUMER, "--command-config", str(properties)),
        *("--bootstrap-server", scene.cluster.bootstrap, "--topic", topic),
        *(word for what in PRINTED for word in ("--formatter-property", f"print.{what}=true")),
    ]


async def _abort(scene: Scene, topic: str) -> None:
    """Write a record that no committed reader may see."""
    settings = {"bootstrap_servers": scene.cluster.bootstrap, "transactional_id": "readers"}
    async with AIOKafkaProducer(**settings) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"{}", key=b"auth_aborted", partition=0, headers=[("ce_id", b"aborted")])
        await producer.abort_transaction()


async def _whole(scene: Scene, topic: str, isolation: str) -> list[Read]:
    records = await read_topic(scene.cluster.bootstrap, topic, scene.setup.partitions, isolation=isolation)
    return [Read(one.partition, one.offset, one.key, tuple(one.headers), one.value, one.timestamp) for one in records]


def parsed(output: bytes) -> list[Read]:
    """Return the records of the whole lines, in the order of reading."""
    whole = output[: output.rfind(b"\n") + 1]
    return [_parsed(line) for line in whole.splitlines()]


def _parsed(line: bytes) -> Read:
    *numbers, headers, key, value = line.split(b"\t", 5)
    timestamp, partition, offset = (int(one.rpartition(b":")[2]) for one in numbers)
    pairs = (one.partition(b":") for one in headers.split(b","))
    return Read(partition, offset, key, tuple((name.decode(), text) for name, _, text in pairs), value, timestamp)


def differences(name: str, read: list[Read], events: list[Read]) -> list[str]:
    """Return how a reader's history differs from the log's events, and the rules that it breaks."""
    wanted, seen = set(events), set(read)
    red = [f"{name} read {one}, which is not committed" for one in read if one not in wanted]
    if missing := len(wanted - seen):
        red.append(f"{name} has not read {missing} of {len(wanted)} events")
    partitions = defaultdict(SeenPartition)
    last = defaultdict(int)
    for one in read:
        event = logged_event(one)
        # Rule 2 of docs/subscribing.md: after a restart it reads again what it had not committed.
        if isinstance(event, SeenEvent) and event.sequence > last[event.authorization_id]:
            last[event.authorization_id] = event.sequence
            partitions[one.partition].see_event(event)
    found = [one for partition in partitions.values() for one in partition.findings.violations]
    red += [f"{name}: {one.rule}: {one.authorization}, offset {one.offset}, {one.detail}" for one in found]
    kept = sum(partition.findings.examined["4"] for partition in partitions.values())
    return red if red or kept == len(wanted) else [f"{name} keeps {kept} of {len(wanted)} events"]
