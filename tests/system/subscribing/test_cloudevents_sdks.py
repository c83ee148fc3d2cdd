"""The official CloudEvents SDKs read the events of real processes, order them and find those of a handoff.

`sequence` has no numbers of one digit only here: the eleventh event would come before the second one without zeros.
"""

import asyncio
import json
import os
import subprocess
import tarfile
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from cloudevents.core.bindings import kafka as sdk
from cloudevents.core.formats.json import JSONFormat

from local.event_listener import listening
from local.installation import PARTITIONS
from local.npm.packages import Package, fetch, node_program
from local.processes.archives import unpack
from local.processes.cache import cache_directory
from local.processes.patience import within
from schemas.published import read
from tests.system.records import everything_in

HERE = Path(__file__).parent
COMMANDS = 12


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The directories of the npm packages, by name."""
    found = {}
    for name, table in tomllib.loads((HERE / "npm.lock.toml").read_text()).items():
        found[name] = tmp_path_factory.mktemp(name)
        with tarfile.open(fetch(Package(**table), cache_directory() / "npm")) as archive:
            unpack(archive, found[name])
    return {name: directory / "package" for name, directory in found.items()}


@pytest.fixture
async def published(gateway):
    """The events of two authorizations, more than ten of each, as the gateway's own reader has them; the requests."""
    authorizations, requests = gateway.collate.create(count=2), set()
    for one in authorizations:
        for _ in range(COMMANDS):
            await gateway.command(one, "watch")
        opened = await gateway.command(one, "handoffs")
        requests.add(opened["commandId"])
        revoked = {"result": {"type": "revoked", "reason": "tests"}}
        await gateway.command(one, f"handoffs/{opened['handoffId']}/close", revoked)
    async with listening(gateway.bootstrap, gateway.prefix) as listener:
        while sum(event.kind == "handoff.closed" for event in listener.events) < len(authorizations):
            await listener.take(20)
        assert gateway.worker.stop() == 0  # no observation adds an event now
        count = len((await everything_in(gateway.bootstrap, gateway.prefix))["events"])
        while len(listener.events) < count:
            await listener.take(20)
        return sorted(listener.events, key=lambda event: (event.authorization_id, event.sequence)), requests


def require_same(read_events, published):
    """What the SDK read is what was published, in the order of the texts; the request leads to all events of a flow."""
    published, requests = published
    for request in requests:
        flow = [event["type"].split(".", 1)[1] for event in read_events if event.get("correlationid") == request]
        assert flow[:2] == ["handoff.opened.v1", "command.finished.v1"]
        assert flow.count("command.finished.v1") == 2, "of the request and of the close"
        assert "handoff.closed.v1" in flow
    for event in read_events:
        installation, _, authorization = event["source"].partition("/authorizations/")
        assert (installation, authorization) == ("/collate-gateway/local", event["subject"])
    numbers = [(event["source"], event["sequence"]) for event in read_events]
    assert all(one < other for one, other in pairwise(numbers))
    assert [(event["subject"], int(event["sequence"])) for event in read_events] == [
        (event.authorization_id, event.sequence) for event in published
    ]
    assert max(event.sequence for event in published) > 10
    assert [(event["type"], event["data"]) for event in read_events] == [
        (f"collate-gateway.{event.kind}.v1", event.data) for event in published
    ]
    assert len({(event["source"], event["id"]) for event in read_events}) == len(published)
    for event in read_events:
        kind = event["type"].removeprefix("collate-gateway.")
        assert event["dataschema"] == json.loads(read(f"events/{kind}.json"))["$id"]


async def test_the_python_sdk_orders_events_by_the_text_of_the_extension(gateway, published):
    consumer = AIOKafkaConsumer(
        f"{gateway.prefix}events",
        bootstrap_servers=gateway.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    events = []
    async with consumer, within(30):
        while len(events) < len(published[0]):
            record = await consumer.getone()
            message = sdk.KafkaMessage(dict(record.headers), record.key, record.value)
            events.append(sdk.from_kafka(message, JSONFormat()))
    events.sort(key=lambda event: (event.get_source(), event.get_extension("sequence")))
    require_same([event.get_attributes() | {"data": event.get_data()} for event in events], published)


async def test_the_javascript_sdk_orders_events_by_the_text_of_the_extension(gateway, published, packages):
    argv = [
        *(node_program(), HERE / "read_cloudevents.js", packages["cloudevents"], packages["kafkajs"]),
        *(gateway.bootstrap, f"{gateway.prefix}events", len(published[0])),
    ]
    reader = await asyncio.create_subprocess_exec(*map(str, argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    async with within(60):
        output, errors = await reader.communicate()
    assert reader.returncode == 0, errors.decode()
    require_same(json.loads(output), published)


@pytest.mark.skipif("TEST_GO" not in os.environ, reason="it compiles for minutes: set TEST_GO=1 on a machine with Go")
@pytest.mark.timeout(1200)
async def test_the_go_sdk_orders_events_by_the_text_of_the_extension(gateway, published, tmp_path):
    program = tmp_path / "consumer"
    build = await asyncio.create_subprocess_exec("go", "build", "-o", str(program), ".", cwd=HERE / "go_consumer")
    assert await build.wait() == 0
    argv = [program, gateway.bootstrap, f"{gateway.prefix}events", PARTITIONS, len(published[0])]
    reader = await asyncio.create_subprocess_exec(*map(str, argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    async with within(60):
        output, errors = await reader.communicate()
    assert reader.returncode == 0, errors.decode()
    require_same(json.loads(output), published)
