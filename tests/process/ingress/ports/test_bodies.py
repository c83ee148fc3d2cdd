"""A body has bounds at each port: bytes, time, no compression."""

import asyncio

import pytest

from tests.process.ingress.conftest import read_reply


@pytest.mark.parametrize("length", [(512 << 10) + 1, 10**12])
async def test_a_body_with_a_too_large_content_length_is_not_read(port, length):
    reply = await port.raw(port.post + f"Content-Length: {length}\r\n\r\n".encode())
    assert (reply.status, reply.headers["connection"]) == (413, "close")


async def test_an_endless_body_is_rejected(port):
    reader, writer = await port.open()
    writer.write(port.post + b"Transfer-Encoding: chunked\r\n\r\n")

    async def pour():
        while True:
            writer.write(b"1000\r\n" + b"x" * 4_096 + b"\r\n")
            await writer.drain()

    pouring = asyncio.create_task(pour())
    reply = await read_reply(reader)
    pouring.cancel()
    await asyncio.gather(pouring, return_exceptions=True)
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    writer.close()


async def test_a_compressed_body_is_rejected(port):
    reply = await port.raw(port.post + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}")
    assert reply.status == 415


class TestSlowBody:
    @pytest.fixture
    def body_seconds(self):
        return 0.3

    async def test_a_body_in_slow_pieces_is_late(self, port):
        reader, writer = await port.open()
        writer.write(port.post + b"Content-Length: 1000\r\n\r\n{")

        async def drip():
            while True:
                writer.write(b" ")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        reply = await read_reply(reader)
        dripping.cancel()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        writer.close()
