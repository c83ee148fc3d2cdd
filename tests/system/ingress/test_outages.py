"""Kafka unreachable, back or hanging: the responses, and the topic afterwards."""

import asyncio
import signal
import statistics
import time

import httpx
import pytest
from prometheus_client import CollectorRegistry

from gateway.ingress import main
from gateway.ingress.commands.producers import Producers
from local.installation import Installation
from local.processes.patience import slowness
from runtime.health import Health
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.process import Process
from runtime.settings import load_settings

# Measured 2 to 20 ms on an idle machine; a test machine may be busy. A wait for Kafka takes the 5 s deadline.
IMMEDIATE_SECONDS = 1.5


async def timed(coroutine):
    started = time.monotonic()
    reply = await coroutine
    return reply, time.monotonic() - started


async def test_without_kafka_at_the_start_commands_are_503_until_it_is_reachable(
    kafka1, run, prefix, *, collate, caller_of, off_loop, eventually
):
    await off_loop(kafka1.kill, 0)
    installation = Installation(run, bootstrap=kafka1.bootstrap, collate_url=collate.url, prefix=prefix)
    program = installation.start("ingress")
    caller = caller_of(program, installation)
    async with httpx.AsyncClient(timeout=120) as probe:

        async def answers():
            try:
                await probe.get(program.url)  # it may listen later than the admin port
                return (await probe.get(f"{program.admin_url}/readyz")).status_code == 503
            except httpx.TransportError:
                return False

        await eventually(answers, within=30)
        reply, seconds = await timed(caller.request(1))
        assert (reply.status_code, reply.json()["kept"]) == (503, "no")
        assert seconds < IMMEDIATE_SECONDS * slowness()
        await eventually(lambda: "kafka.broker_waiting" in program.log.read_text())
        await off_loop(kafka1.start, 0)
        await off_loop(installation.apply_topics)
        await off_loop(program.await_ready)
        assert (await caller.request(1)).status_code == 202
        await off_loop(program.stop)


async def test_an_ingress_whose_producer_has_not_connected_is_not_ready(installation, eventually, monkeypatch):
    may_connect = asyncio.Event()

    class Waiting(Producers):
        async def connect(self):
            await may_connect.wait()
            return await super().connect()

    monkeypatch.setattr(main, "Producers", Waiting)
    registry = CollectorRegistry()
    process = Process("ingress", Health(), Metrics(registry), registry, get_log())
    working = asyncio.create_task(
        main.work(load_settings(installation.environ | {"GATEWAY_INGRESS__PORT": "0"}, "ingress"), process)
    )
    await eventually(lambda: (events := process.health.component("events")) and events.state == "ok")
    assert not process.health.ready().good
    may_connect.set()
    await eventually(lambda: process.health.ready().good)
    process.stop.set()
    await working
    await process.cancel_tasks()


@pytest.fixture
async def running(install, kafka1, start, caller_of):
    installation = await install(kafka1.bootstrap)
    program = await start(installation, "ingress")
    return program, caller_of(program, installation)


@pytest.mark.promise(1)
async def test_a_broker_killed_under_load_loses_no_202_and_duplicates_no_retry(
    running, kafka1, commands_in, off_loop, eventually
):
    _, caller = running
    numbers = iter(range(100_000))
    is_over = asyncio.Event()

    async def is_accepted(number):
        return (await caller.request(number)).status_code == 202

    async def retry_until_accepted():
        while not is_over.is_set():
            number = next(numbers)
            await eventually(lambda: is_accepted(number), within=60)  # noqa: B023 - called before the next number

    load = [asyncio.create_task(retry_until_accepted()) for _ in range(16)]
    await eventually(lambda: len(caller.statuses) > 200)
    await off_loop(kafka1.kill, 0)
    await eventually(lambda: any(503 in statuses for statuses in caller.statuses.values()), within=20)
    assert statistics.median([(await timed(caller.request(-1)))[1] for _ in range(20)]) < IMMEDIATE_SECONDS * slowness()
    await off_loop(kafka1.start, 0)
    before = len(caller.statuses)
    await eventually(lambda: len(caller.statuses) > before + 200, within=60)
    is_over.set()
    await asyncio.gather(*load)
    ids = [command.id for command in await commands_in(kafka1.bootstrap)]
    accepted = {number for number, statuses in caller.statuses.items() if 202 in statuses}
    # Every request has a separate authorization, so the authorizations identify the commands.
    assert len(set(ids)) >= len(accepted)
    authorizations = {command.authorization_id for command in await commands_in(kafka1.bootstrap)}
    assert {f"auth_{number}" for number in accepted} <= authorizations
    assert len(set(ids)) == len(authorizations)


async def test_a_hanging_broker_is_503_within_the_deadline_and_then_immediately(
    running, kafka1, commands_in, off_loop, eventually
):
    _, caller = running
    assert (await caller.request(1)).status_code == 202
    await off_loop(kafka1.kill, 0, signal.SIGSTOP)
    try:
        reply, seconds = await timed(caller.request(2))
        assert reply.status_code == 503
        assert seconds < 6 * slowness()
        assert reply.headers["retry-after"]
        reply, seconds = await timed(caller.request(3))
        assert (reply.status_code, reply.json()["kept"]) == (503, "no")
        assert seconds < IMMEDIATE_SECONDS * slowness()
    finally:
        await off_loop(kafka1.kill, 0, signal.SIGCONT)

    async def well():
        return (await caller.request(2)).status_code == 202

    await eventually(well, within=40)
    commands = await commands_in(kafka1.bootstrap)
    assert len({command.id for command in commands if command.authorization_id == "auth_2"}) == 1
    assert "auth_3" not in {command.authorization_id for command in commands}
