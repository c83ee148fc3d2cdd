"""Requests that wait for an outcome (`Prefer: wait`): they take no places from others, and end with their client."""

import asyncio
import contextlib
import json
import time
from datetime import UTC, datetime

import pytest

from gateway.ingress.auth.callers import new_key
from local.processes.patience import slowness
from schemas.api.messages import CommandAccepted
from schemas.enums import CommandType
from schemas.events import CommandDeadLettered
from schemas.records import publish

from .conftest import read_reply
from .test_commands import finished

REQUEST = "/v1/authorizations/auth_1/handoffs"
WAIT = {"Prefer": "wait=30", "Content-Length": "0"}


@pytest.fixture
def settings_of():
    return {
        "GATEWAY_INGRESS__MAX_REQUESTS_IN_FLIGHT": "100",
        "GATEWAY_INGRESS__CALLER_BURST": "2000",
    }


@pytest.fixture
def keys(ingress):
    """The keys of five callers."""
    keys = {name: new_key() for name in ("desk", "intake", "third", "fourth", "fifth")}
    everything = ["handoff:request", "authorization:read", "operate"]
    ingress.use_callers(
        "".join(
            f'[[caller]]\nname = "{name}"\npermissions = {json.dumps(everything)}\n{key.entry}'
            for name, key in keys.items()
        )
    )
    ingress.key = keys["desk"].key
    return {name: key.key for name, key in keys.items()}


async def start_waiting(ingress, number, key=None):
    """Send a request that waits, and return its connection."""
    reader, writer = await ingress.open()
    credential = {} if key is None else {"Authorization": f"Bearer {key}"}
    writer.write(ingress.head("POST", REQUEST, WAIT | {"Idempotency-Key": f"w-{number}"} | credential) + b"\r\n")
    await writer.drain()
    return reader, writer


async def open_many(ingress, numbers, key=None):
    return [await start_waiting(ingress, number, key) for number in numbers]


def close(connections):
    for _, writer in connections:
        writer.close()


async def as_caller(ingress, key):
    """Return the statuses of a read and of a command of another caller."""
    credential = {"Authorization": f"Bearer {key}"}
    read = await ingress.call("GET", "/v1/dead-letters", headers=credential)
    command = await ingress.call("POST", REQUEST, headers=credential | {"Idempotency-Key": f"o-{time.monotonic()}"})
    return read.status, command.status


async def test_waits_of_one_caller_leave_places_for_the_others(ingress, kafka, keys, eventually):
    connections = await open_many(ingress, range(150))
    await eventually(lambda: len(kafka.commands) == 150)
    assert await as_caller(ingress, keys["intake"]) == (200, 202)
    assert ingress.metric("waiters") == 10
    close(connections)


async def test_waits_of_many_callers_leave_places_for_the_others(ingress, kafka, keys, eventually):
    connections = [connection for key in keys.values() for connection in await open_many(ingress, range(40), key)]
    await eventually(lambda: len(kafka.commands) == 200)
    assert ingress.metric("waiters") == 40
    assert await as_caller(ingress, keys["third"]) == (200, 202)
    close(connections)


async def test_a_caller_that_closes_its_connections_leaves_the_places(ingress, kafka, keys, eventually):
    for number in range(150):
        _, writer = await start_waiting(ingress, number)
        writer.close()
    await eventually(lambda: len(kafka.commands) == 150)
    assert await as_caller(ingress, keys["intake"]) == (200, 202)
    await eventually(lambda: ingress.metric("waiters") == 0, within=2)
    assert ingress.metric("requests_in_flight") == 0


async def test_a_wait_beyond_the_bound_is_202_at_once(ingress, keys):
    connections = await open_many(ingress, range(11))
    started = time.monotonic()
    reply = await read_reply(connections[-1][0])
    assert time.monotonic() - started < 2 * slowness()
    assert (reply.status, "preference-applied" in reply.headers) == (202, False)
    assert ingress.metric("waits_total", result="full") == 1
    close(connections)


async def test_a_half_closed_client_gets_its_202_at_once(ingress, kafka, keys):
    reader, writer = await start_waiting(ingress, 1)
    writer.write_eof()
    started = time.monotonic()
    reply = await read_reply(reader)
    assert time.monotonic() - started < 2 * slowness()
    assert (reply.status, reply.json["status"]) == (202, "accepted")
    assert (await reader.read()) == b""
    assert ingress.metric("waiters") == 0
    assert ingress.metric("waits_total", result="left") == 1
    assert len(kafka.commands) == 1
    writer.close()


async def test_a_pipelined_request_does_not_end_a_wait(ingress, kafka, keys, eventually):
    reader, writer = await start_waiting(ingress, 1)
    writer.write(ingress.head("POST", REQUEST, {"Idempotency-Key": "next", "Content-Length": "0"}) + b"\r\n")
    await eventually(lambda: kafka.commands)
    kafka.publish(finished(kafka.read()[0].id))
    assert (await read_reply(reader)).status == 200
    assert (await read_reply(reader)).status == 202
    writer.close()


def dead_lettered(command_id, **fields):
    event = CommandDeadLettered(
        command_id=command_id,
        command=CommandType.HANDOFF_REQUEST,
        caller="desk",
        cause="outcome_unknown",
        advice="Look at the authorization, then redrive or discard.",
        **fields,
    )
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return publish(event, authorization_id="auth_1", causation_id=command_id, sequence=1, life=1, time=at)


async def test_a_command_that_is_dead_lettered_ends_the_wait(ingress, kafka, keys, eventually):
    waiting = asyncio.create_task(ingress.post(REQUEST, Prefer="wait=20"))
    await eventually(lambda: kafka.commands)
    started = time.monotonic()
    kafka.publish(dead_lettered(kafka.read()[0].id))
    reply = await waiting
    assert time.monotonic() - started < 2 * slowness()
    answer = CommandAccepted.from_caller(reply.body)
    assert (reply.status, reply.headers["preference-applied"]) == (202, "wait=20")
    assert (answer.status, answer.cause) == ("dead_lettered", "outcome_unknown")
    assert answer.advice == "Look at the authorization, then redrive or discard."
    assert answer.accepted_at == kafka.read()[0].accepted_at
    assert ingress.metric("waits_total", result="dead_lettered") == 1


async def test_a_client_that_is_gone_leaves_no_task_and_no_error(lines, ingress, kafka, keys, eventually):
    reader, writer = await start_waiting(ingress, 1)
    await eventually(lambda: ingress.metric("waiters") == 1)
    writer.transport.abort()
    await eventually(lambda: ingress.metric("waiters") == 0, within=2)
    with contextlib.suppress(ConnectionError):
        await reader.read()
    assert not [line for line in lines() if line["level"] == "error"]
