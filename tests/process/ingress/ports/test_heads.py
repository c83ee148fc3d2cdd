"""Each port reads a head as the RFCs say, within its bounds, and answers a bad one in its own form."""

import asyncio

import pytest

from local.processes.patience import within
from runtime.http_server.connections import ConnectionLimits
from runtime.http_server.server import LimitedProtocol
from tests.process.ingress.conftest import read_reply


@pytest.mark.parametrize(
    ("data", "status", "slug"),
    [
        (b"GET /" + b"a" * 5_000 + b" HTTP/1.1\r\n\r\n", 414, "url-too-long"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 65 + b"\r\n", 431, "headers-too-large"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 25_000 + b"\r\n\r\n", 431, "headers-too-large"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 41_000, 431, "headers-too-large"),
        (b"NONSENSE\r\n\r\n", 400, "unreadable"),
        (b"GET / HTTP/9.9\r\n\r\n", 505, "http-version-not-supported"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, "unreadable"),
        (b"GET / HTTP/1.1\r\nA\x00B: x\r\n\r\n", 400, "unreadable"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400, "unreadable"),
        (b"CONNECT gateway:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "unreadable"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "unreadable"),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "unreadable"),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "unreadable"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "unreadable"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "invalid-header"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "invalid-header"),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "invalid-header"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "transfer-coding-unknown"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: unheard\r\n\r\n", 501, "transfer-coding-unknown"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501, "transfer-coding-unknown"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400, "unreadable"),
        (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "unreadable"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "http-version-not-supported"),
        (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505, "http-version-not-supported"),
        (b"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505, "http-version-not-supported"),
    ],
)
async def test_a_bad_head_gets_a_problem_and_is_disconnected(port, data, status, slug):
    reader, writer = await port.open()
    writer.write(data)
    assert port.is_problem(await read_reply(reader), status, slug)
    async with within(20):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("limits", [ConnectionLimits(drain_seconds=0.5, keepalive_seconds=0.0)])
@pytest.mark.parametrize("begin", [b"GET / HTTP/1.1\r\nA: ", b"GET /", b"GET / HTTP/1.1\r\n"])
async def test_an_endless_head_is_cut_at_the_bound(port, begin):
    reader, writer = await port.open()
    writer.write(begin)
    piece = b"A: b\r\n" * 1_000 if begin.endswith(b"\n") else b"x" * 6_000

    async def pour():
        while True:
            writer.write(piece)
            await writer.drain()

    pouring = asyncio.create_task(pour())
    reply = await read_reply(reader)
    status, slug = (414, "url-too-long") if begin == b"GET /" else (431, "headers-too-large")
    assert port.is_problem(reply, status, slug)
    async with within(20):
        await asyncio.wait({pouring})  # ends with the connection, drain_seconds later
    assert isinstance(pouring.exception(), ConnectionError)
    writer.close()
    assert port.open_connections() == 0


async def test_an_endless_trailer_is_rejected(port):
    reader, writer = await port.open()
    writer.write(port.post + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: ")
    for _ in range(200):
        writer.write(b"x" * 1_000)
        await asyncio.sleep(0)
    assert port.is_problem(await read_reply(reader), 431, "headers-too-large")
    writer.close()


@pytest.mark.parametrize("chunk", [b"zz\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX", b"fffffffffffffffff\r\n"])
async def test_a_malformed_chunk_ends_the_request(port, chunk):
    reply = await port.raw(port.post + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert port.is_problem(reply, 400, "unreadable")


async def test_a_head_in_pieces_is_served(port):
    reader, writer = await port.open()
    for byte in port.get + b"\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
    assert (await read_reply(reader)).status == 200
    writer.close()


async def test_http_1_0_needs_no_host(port):
    path = port.get.split(b" ")[1]
    assert (await port.raw(b"GET " + path + b" HTTP/1.0\r\n\r\n")).status == 200


async def test_pipelined_requests_of_a_half_closed_client_are_answered(port):
    reader, writer = await port.open()
    writer.write((port.get + b"\r\n") * 5 + b"GET / HT")
    writer.write_eof()
    for _ in range(5):
        assert (await read_reply(reader)).status == 200
    async with within(20):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("is_half_closed", [False, True])
async def test_too_many_pipelined_requests_end_the_connection_after_one_response(port, is_half_closed):
    reader, writer = await port.open()
    writer.write((port.get + b"\r\n") * (port.limits.pipelined_requests + 2))
    if is_half_closed:
        writer.write_eof()
    reply = await read_reply(reader)
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    async with within(20):
        assert await reader.read() == b""
    writer.close()


async def test_nothing_is_read_while_a_request_waits(port, monkeypatch):
    looks = []
    complete = LimitedProtocol.on_response_complete

    def completed(connection):
        complete(connection)
        looks.append((bool(connection.pipeline), connection.flow.read_paused))

    monkeypatch.setattr(LimitedProtocol, "on_response_complete", completed)
    reader, writer = await port.open()
    writer.write((port.get + b"\r\n") * 4)
    for _ in range(4):
        assert (await read_reply(reader)).status == 200
    assert looks == [(True, True), (True, True), (False, False), (False, False)]
    writer.close()


async def test_garbage_after_a_request_does_not_affect_its_response(port):
    reader, writer = await port.open()
    writer.write(port.get + b"\r\n\x00\x01GARBAGE\r\n\r\n")
    assert (await read_reply(reader)).status == 200
    async with within(20):
        await reader.read()
    writer.close()
