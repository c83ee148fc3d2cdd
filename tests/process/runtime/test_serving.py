"""The server of a process on asyncio's own event loop; production uses uvloop."""

import asyncio
import socket

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from runtime.serving import serving


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_connection_sends_small_responses_without_delay(host):
    options = []

    class Protocol(HttpToolsProtocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            connected = transport.get_extra_info("socket")
            options.append(connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async with serving(app, host, 0, stop_seconds=1, http=Protocol) as server:
        reader, writer = await asyncio.open_connection(host, server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 204")
        writer.close()
    assert options == [1]
