"""The promises of docs/subscribing.md, on real Kafka with real processes."""

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
from local.processes.patience import within

CONSOLE_CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
CLOSE = {"result": {"type": "completed", "reportedOutcome": "submitted"}}


def subscriber_view(items):
    """Return what these items say: status and open handoff of each authorization, and the sequences read."""
    known, sequences = defaultdict(dict), defaultdict(list)
    for authorization, kind, sequence, data in items:
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


def collate_view(collate, authorizations):
    """Return the same facts as Collate has them."""
    state = {}
    for one in authorizations:
        current = collate.state.authorizations[one]
        state[one] = {"status": current.status.value, "open": current.open_handoff and current.open_handoff.id}
    return state


def has_no_gaps(sequences):
    return sequences == list(range(sequences[0], sequences[-1] + 1))


@pytest.fixture
async def subscribe(example, gateway):
    """Return a function that starts the example as a program and returns its growing list of items."""
    programs = []

    async def start_program():
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", example.__file__, gateway.bootstrap, gateway.prefix), stdout=subprocess.PIPE
        )
        items = []

        async def read():
            while line := await program.stdout.readline():
                items.append(json.loads(line))

        programs.append((program, asyncio.create_task(read())))
        return items

    yield start_program
    for program, reading in programs:
        with contextlib.suppress(ProcessLookupError):
            program.terminate()
        await program.wait()
        await reading


async def test_a_late_joiner_has_collates_state_after_a_handoff_and_a_killed_worker(
    gateway, start, subscribe, eventually
):
    collate, command = gateway.collate, gateway.command
    quiet, handed, done = authorizations = collate.create(count=3)
    for one in authorizations:
        await command(one, "watch")
    opened = await command(handed, "handoffs")
    collate.act(done, "payer", truth="approved")
    await command(done, "watch")

    items = await subscribe()
    await eventually(lambda: len(items) >= 3, within=30)
    assert {kind for _, kind, _, _ in items} == {"state"}, "the state of each authorization comes first"
    assert subscriber_view(items)[0] == collate_view(collate, authorizations)

    gateway.worker.process.kill()
    await asyncio.to_thread(gateway.worker.process.wait)
    collate.act(quiet, "cancel")
    await start(gateway.installation, "worker")
    await command(handed, f"handoffs/{opened['handoffId']}/close", CLOSE)
    collate.act(handed, "payer", truth="approved")
    await command(quiet, "watch")
    wanted = {(one, "collate-gateway.authorization.settled.v1") for one in (quiet, handed)}
    await eventually(lambda: wanted <= {(one, kind) for one, kind, _, _ in items}, within=60)

    known, sequences = subscriber_view(items)
    assert known == collate_view(collate, authorizations)
    for one in authorizations:
        assert has_no_gaps(sequences[one])


async def test_a_subscriber_that_joins_at_any_moment_gets_every_event_once(gateway, example):
    collate, command, randomness = gateway.collate, gateway.command, random.Random(6)
    authorizations = collate.create(count=8)

    async def send_commands(one):
        for path in ("watch", "handoffs", "watch"):
            await asyncio.sleep(randomness.uniform(0, 0.5))
            await command(one, path, wait=0)
        await asyncio.sleep(randomness.uniform(0, 2))
        await command(one, "watch")

    async def join(after):
        await asyncio.sleep(after)
        items = []
        async for one in example.follow(gateway.bootstrap, gateway.prefix):
            items.append(one)
            _, sequences = subscriber_view(items)
            if len(sequences) == len(authorizations) and all(max(seen) >= EVENTS for seen in sequences.values()):
                return items
        raise AssertionError("follow ended")

    async with listening(gateway.bootstrap, gateway.prefix) as listener:
        joiners = [asyncio.create_task(join(randomness.uniform(0, 4))) for _ in range(12)]
        await asyncio.gather(*(send_commands(one) for one in authorizations))
        for joiner in joiners:
            async with within(30):
                known, sequences = subscriber_view(await joiner)
            assert known == collate_view(collate, authorizations)
            assert all(has_no_gaps(sequences[one]) for one in authorizations)
        from_the_beginning = defaultdict(list)
        while len(from_the_beginning) < len(authorizations) or min(map(len, from_the_beginning.values())) < EVENTS:
            for event in await listener.take(5):
                from_the_beginning[event.authorization_id].append(event.sequence)
    assert all(numbers[0] == 1 and has_no_gaps(numbers) for numbers in from_the_beginning.values())


async def test_a_sequence_that_restarts_after_months_is_accepted(installation, kafka, prefix, example):
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
        items = [(await first)[2]]
        await put(7, now - 4 * month)
        for sequence, at in ((8, now - 3 * month), (1, now), (1, now), (2, now)):
            await put(sequence, at)
        async with within(20):
            items += [(await anext(following))[2] for _ in range(3)]
    await following.aclose()
    assert items == [7, 8, 1, 2]


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
