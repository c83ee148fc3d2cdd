"""A client that does not read its responses is disconnected."""

import socket

import pytest

from runtime.http_server.connections import ConnectionLimits
from runtime.http_server.server import LimitedProtocol

from .conftest import read_reply


@pytest.fixture
def limits():
    return ConnectionLimits(write_seconds=1.0)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this kernel bounds no unread bytes")
async def test_a_few_unread_bytes_do_not_keep_a_connection(ingress, eventually, monkeypatch):
    ends = []
    made = LimitedProtocol.connection_made
    lost = LimitedProtocol.connection_lost
    monkeypatch.setattr(LimitedProtocol, "connection_made", lambda self, end: (ends.append(end), made(self, end))[1])
    monkeypatch.setattr(LimitedProtocol, "connection_lost", lambda self, exc: (ends.clear(), lost(self, exc))[1])
    reader, writer = await ingress.open()
    writer.transport.pause_reading()
    await eventually(lambda: ends)
    ends[0].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)

    def has_unread_bytes():
        if is_stuck := ends[0].get_write_buffer_size() > 0:
            looks.append(is_stuck)
        else:
            looks.clear()
            writer.write((ingress.head("GET", "/v1/unknown", {}) + b"\r\n") * 30)
        return len(looks) == 5

    looks = []
    await eventually(has_unread_bytes)
    await eventually(lambda: not ends)
    writer.transport.abort()
    del reader


async def test_a_client_that_reads_receives_every_response(ingress):
    reader, writer = await ingress.open()
    writer.write((ingress.head("GET", "/openapi.json", {}) + b"\r\n") * 33)
    for _ in range(33):
        assert (await read_reply(reader)).status == 200
    writer.close()
