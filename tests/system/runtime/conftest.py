"""A port that leads to Kafka only after a while."""

import asyncio
import contextlib

import pytest


@pytest.fixture
async def late_port(kafka):
    """A free port, and a function that opens it as a proxy to Kafka."""
    from local.processes.ports import free_ports  # noqa: PLC0415 - as above

    (port,) = free_ports(1)
    host, _, broker = kafka.split(",")[0].rpartition(":")
    servers = []

    async def pipe(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def proxy(reader, writer):
        kafka_reader, kafka_writer = await asyncio.open_connection(host, int(broker))
        await asyncio.gather(pipe(reader, kafka_writer), pipe(kafka_reader, writer))

    async def open_port():
        servers.append(await asyncio.start_server(proxy, "127.0.0.1", port))

    yield port, open_port
    for server in servers:
        server.close()
