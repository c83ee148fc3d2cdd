"""Each state of a connection has a clock at each port, and a full port serves the client that sends a request."""

from dataclasses import replace

import pytest

from local.processes.patience import within
from tests.process.ingress.conftest import IMPATIENT, read_reply

from .conftest import FULL

HASTY = replace(IMPATIENT, connections=FULL)


async def ends(reader):
    """Whether the port closes the connection. What it still sends is read."""
    async with within(30):
        await reader.read()
    return True


@pytest.mark.parametrize("limits", [HASTY])
@pytest.mark.parametrize("begin", [b"", b"\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["none", "blank", "half"])
async def test_a_late_head_is_disconnected(port, begin):
    reader, writer = await port.open()
    writer.write(begin)
    assert await ends(reader)
    writer.close()


@pytest.mark.parametrize("limits", [HASTY])
@pytest.mark.parametrize("then", [b"", b"\r\n", b"GET / HTTP/1.1\r\n"], ids=["none", "blank", "half"])
async def test_a_late_second_head_is_disconnected(port, then):
    reader, writer = await port.open()
    writer.write(port.get + b"\r\n")
    assert (await read_reply(reader)).status == 200
    writer.write(then)
    assert await ends(reader)
    writer.close()


@pytest.mark.parametrize("limits", [replace(HASTY, head_seconds=60.0, write_seconds=1.0)])
async def test_a_client_that_does_not_read_responses_is_disconnected(port, eventually):
    reader, writer = await port.open()
    writer.transport.pause_reading()
    writer.write((port.get + b"\r\n") * 2_000)
    await eventually(lambda: port.open_connections() == 1)
    await eventually(lambda: port.open_connections() == 0)
    writer.transport.abort()
    del reader


@pytest.mark.parametrize("begin", ["silent", "half a head", "answered", "half a body"])
async def test_a_full_port_serves_a_new_connection(port, eventually, begin):
    data = {
        "silent": b"",
        "half a head": port.get,
        "answered": port.get + b"\r\n",
        "half a body": port.post + b"Content-Length: 10\r\n\r\n{",
    }[begin]
    held = [await port.open() for _ in range(FULL)]
    for reader, writer in held:
        writer.write(data)
        if begin == "answered":
            assert (await read_reply(reader)).status == 200
    await eventually(lambda: port.open_connections() == FULL)
    for _ in range(2 * FULL):
        assert await port.is_served()
    assert port.shed("idle_connections") >= 1
    for _, writer in held:
        writer.close()


async def test_silent_connections_of_a_stranger_are_bounded(port, eventually):
    held = [await port.open() for _ in range(3 * FULL)]
    await eventually(lambda: port.shed("idle_connections") >= 2 * FULL)
    assert port.open_connections() <= FULL
    assert await port.is_served()
    for _, writer in held:
        writer.close()
