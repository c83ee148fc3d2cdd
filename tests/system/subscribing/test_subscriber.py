"""What docs/subscribing.md promises to a subscriber, on real Kafka with real processes."""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import time
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaProducer

from local.event_listener import listening
from local.kafka.broker import java
from local.kafka.jars import fetch, read_lock
from local.processes.cache import cache_directory

CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
CLOSE = {"result": {"type": "completed", "reportedOutcome": "submitted"}}


def computed(told):
    """What somebody knows after these lines: status and open handoff of each authorization, and the sequences seen."""
    known, sequences = defaultdict(dict), defaultdict(list)
    for authorization, kind, sequence, data in told:
        sequences[authorization].append(sequence)
        one = known[authorization]
        match kind.removeprefix("collate-gateway.").removesuffix(".v1"):
            case "state":
                one |= {"status": data["status"], "open": data.get("activeHandoff", {}).get("id")}
            case "authorization.changed":
                one["status"] = data["to"]
            case "handoff.opened":
                one["open"] = data["handoffId"]
            case "handoff.closed":
                one["open"] = None
    return dict(known), sequences


def shown(collate, authorizations):
    """What Collate's state is."""
    state = {}
    for one in authorizations:
        current = collate.world.authorizations[one]
        state[one] = {"status": current.status.value, "open": current.open_handoff and current.open_handoff.id}
    return state


def is_whole(sequences):
    return sequences == list(range(sequences[0], sequences[-1] + 1))


@pytest.fixture
async def subscribe(example, gateway):
    """Start the example as a program of its own; return the lines that it prints, as they come."""
    programs = []

    async def start_program():
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", example.__file__, gateway.bootstrap, gateway.prefix), stdout=subprocess.PIPE
        )
        told = []

        async def read():
            while line := await program.stdout.readline():
                told.append(json.loads(line))

        programs.append((program, asyncio.create_task(read())))
        return told

    yield start_program
    for program, reading in programs:
        with contextlib.suppress(ProcessLookupError):
            program.terminate()
        await program.wait()
        await reading


async def test_a_late_joiner_knows_what_collate_shows_through_a_handoff_and_a_killed_worker(
    gateway, start, subscribe, eventually
):
    collate, command = gateway.collate, gateway.command
    quiet, handed, done = authorizations = collate.create(count=3)
    for one in authorizations:
        await command(one, "watch")
    opened = await command(handed, "handoffs")
    collate.act(done, "payer", truth="approved")
    await command(done, "watch")

    told = await subscribe()
    await eventually(lambda: len(told) >= 3, within=30)
    assert {kind for _, kind, _, _ in told} == {"state"}, "each authorization's state comes first"
    assert computed(told)[0] == shown(collate, authorizations)

    gateway.worker.process.kill()
    await asyncio.to_thread(gateway.worker.process.wait)
    collate.act(quiet, "cancel")
    await start(gateway.installation, "worker")
    await command(handed, f"handoffs/{opened['handoffId']}/close", CLOSE)
    collate.act(handed, "payer", truth="approved")
    await command(quiet, "watch")
    wanted = {(one, "collate-gateway.authorization.settled.v1") for one in (quiet, handed)}
    await eventually(lambda: wanted <= {(one, kind) for one, kind, _, _ in told}, within=60)

    known, sequences = computed(told)
    assert known == shown(collate, authorizations)
    for one in authorizations:
        assert is_whole(sequences[one])


async def test_whoever_joins_at_any_moment_misses_nothing_and_hears_nothing_twice(gateway, example):
    collate, command, randomness = gateway.collate, gateway.command, random.Random(6)
    authorizations = collate.create(count=8)

    async def ask(one):
        for path in ("watch", "handoffs", "watch"):
            await asyncio.sleep(randomness.uniform(0, 0.5))
            await command(one, path, wait=0)
        await asyncio.sleep(randomness.uniform(0, 2))
        await command(one, "watch")

    async def join(after):
        await asyncio.sleep(after)
        told = []
        async for one in example.follow(gateway.bootstrap, gateway.prefix):
            told.append(one)
            _, sequences = computed(told)
            if len(sequences) == len(authorizations) and all(max(seen) >= EVENTS for seen in sequences.values()):
                return told
        raise AssertionError("follow ended")

    async with listening(gateway.bootstrap, gateway.prefix) as listener:
        joiners = [asyncio.create_task(join(randomness.uniform(0, 4))) for _ in range(12)]
        await asyncio.gather(*(ask(one) for one in authorizations))
        for joiner in joiners:
            known, sequences = computed(await asyncio.wait_for(joiner, 30))
            assert known == shown(collate, authorizations)
            assert all(is_whole(sequences[one]) for one in authorizations)
        from_the_beginning = defaultdict(list)
        while len(from_the_beginning) < len(authorizations) or min(map(len, from_the_beginning.values())) < EVENTS:
            for event in await listener.take(5):
                from_the_beginning[event.authorization_id].append(event.sequence)
    assert all(numbers[0] == 1 and is_whole(numbers) for numbers in from_the_beginning.values())


async def test_a_sequence_that_begins_anew_after_months_is_followed(installation, kafka, prefix, example):
    await asyncio.to_thread(installation.apply_topics)
    month, now = 30 * 24 * 3600 * 1000, round(time.time() * 1000)
    following = example.follow(kafka, prefix)
    first = asyncio.create_task(anext(following))
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:

        async def put(sequence, at):
            headers = [("ce_sequence", str(sequence).encode()), ("ce_type", b"some")]
            await producer.send_and_wait(
                f"{prefix}events", b"{}", key=b"auth_1", partition=0, headers=headers, timestamp_ms=at
            )

        while not first.done():
            await put(7, now - 4 * month)
            await asyncio.sleep(0.2)
        told = [(await first)[2]]
        await put(7, now - 4 * month)
        for sequence, at in ((8, now - 3 * month), (1, now), (1, now), (2, now)):
            await put(sequence, at)
        async with asyncio.timeout(20):
            told += [(await anext(following))[2] for _ in range(3)]
    await following.aclose()
    assert told == [7, 8, 1, 2]


# Of each authorization above: changed, action_required, finished; opened, finished; finished; finished.
EVENTS = 7


async def test_the_java_consumer_reads_the_same_events(gateway):
    (one,) = gateway.collate.create()
    await gateway.command(one, "watch")
    await gateway.command(one, "handoffs")
    async with listening(gateway.bootstrap, gateway.prefix) as listener:
        await listener.wait_for("command.finished", 20, command="collate-gateway.handoff.request.v1")

    jars = await asyncio.to_thread(fetch, read_lock(), cache_directory() / "jars")
    printing = [f"print.{what}=true" for what in ("key", "headers", "partition")]
    argv = [
        *(java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", ":".join(map(str, jars)), CONSOLE_CONSUMER),
        *("--bootstrap-server", gateway.bootstrap, "--topic", f"{gateway.prefix}events"),
        *("--isolation-level", "read_committed"),
        *("--from-beginning", "--max-messages", str(len(listener.events)), "--timeout-ms", "20000"),
        *(word for each in printing for word in ("--formatter-property", each)),
    ]
    java_consumer = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, complaints = await java_consumer.communicate()

    read = []
    for line in output.decode().splitlines():
        _, headers, key, value = line.split("\t")
        named = dict(header.split(":", 1) for header in headers.split(","))
        assert named["ce_specversion"] == "1.0"
        assert named["content-type"] == "application/json"
        kind = named["ce_type"].removeprefix("collate-gateway.").removesuffix(".v1")
        read.append((key, int(named["ce_sequence"]), kind, json.loads(value)))
    ours = [(event.authorization_id, event.sequence, event.kind, event.data) for event in listener.events]
    assert read == ours, complaints.decode()
