"""A stopping server answers the requests that come on open connections; a caller loses none to a closed connection."""

import asyncio
import socket
import time
from contextlib import asynccontextmanager

import pytest

from local.processes.patience import within
from runtime.http_server.connections import ConnectionLimits

from .conftest import read_reply


@pytest.fixture
def limits():
    return ConnectionLimits(keepalive_seconds=2.0)


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def stopping(ingress, eventually):
    """Stop the server, and wait until it accepts no connection. On exit, wait until it has stopped."""
    stopped = asyncio.create_task(ingress.stop())
    await eventually(lambda: not accepts(ingress.port))
    yield
    async with within(20):
        await stopped


def request(ingress):
    return ingress.head("GET", "/openapi.json", {}) + b"\r\n"


async def is_answered_and_closed(reader):
    reply = await read_reply(reader)
    return reply.status == 200 and reply.headers["connection"] == "close" and await reader.read() == b""


async def test_a_request_on_a_kept_connection_is_answered_although_the_server_stops(ingress, eventually):
    reader, writer = await ingress.open()
    writer.write(request(ingress))
    assert "connection" not in (await read_reply(reader)).headers
    async with stopping(ingress, eventually):
        writer.write(request(ingress))
        assert await is_answered_and_closed(reader)
    writer.close()


@pytest.mark.parametrize("arrived", [0, 10], ids=["nothing", "a part"])
async def test_the_first_request_of_a_connection_is_answered_although_the_server_stops(ingress, eventually, arrived):
    reader, writer = await ingress.open()
    head = request(ingress)
    writer.write(head[:arrived])
    await eventually(lambda: ingress.metric("connections", port="api") == 1)
    async with stopping(ingress, eventually):
        writer.write(head[arrived:])
        assert await is_answered_and_closed(reader)
    writer.close()


async def test_a_command_that_arrives_during_the_stop_is_accepted_and_does_not_wait(ingress, kafka, eventually):
    prefer = {"Idempotency-Key": "late", "Prefer": "wait=30", "Content-Type": "application/json", "Content-Length": "2"}
    head = ingress.head("POST", "/v1/authorizations/auth_1/handoffs", prefer) + b"\r\n"
    reader, writer = await ingress.open()
    writer.write(head + b"{")
    await eventually(lambda: ingress.metric("requests_in_flight") == 1)
    async with stopping(ingress, eventually):
        writer.write(b"}")
        reply = await read_reply(reader)
        assert (reply.status, "preference-applied" in reply.headers, len(kafka.commands)) == (202, False, 1)
        assert ingress.metric("waits_total", result="stopped") == 1
    writer.close()


async def test_unused_connections_close_after_their_time(ingress, eventually):
    new, kept = await ingress.open(), await ingress.open()
    kept[1].write(request(ingress))
    await read_reply(kept[0])
    await eventually(lambda: ingress.metric("connections", port="api") == 2)
    began = time.monotonic()
    async with stopping(ingress, eventually):
        assert await new[0].read() == b""
        assert time.monotonic() - began >= 1.9
        assert await kept[0].read() == b""
    for _, writer in (new, kept):
        writer.close()


class TestDeadline:
    @pytest.fixture
    def stop_seconds(self):
        return 1

    async def test_a_request_that_the_stop_cancels_gets_a_problem_with_retry_after(self, ingress, collate, eventually):
        (authorization,) = collate.create("handoff_active")
        holding = collate.fault("hold", method="POST", path="access-grants$")
        path = f"/v1/authorizations/{authorization}/handoffs/active/access-grants"
        asking = asyncio.create_task(ingress.call("POST", path, {"operator": "op-7"}))
        await eventually(lambda: holding.struck)
        async with stopping(ingress, eventually):
            reply = await asking
        assert (reply.status, reply.json["type"]) == (503, "urn:collate-gateway:problem:stopping")
        assert reply.headers["retry-after"] == "1"
