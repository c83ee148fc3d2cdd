"""A way to Kafka that opens late."""

import asyncio
import contextlib

import pytest


@pytest.fixture
async def late_port(kafka):
    """A port where nothing listens until the function beside it is called; then it leads to Kafka."""
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

    async def lead(reader, writer):
        there_reader, there_writer = await asyncio.open_connection(host, int(broker))
        await asyncio.gather(pipe(reader, there_writer), pipe(there_reader, writer))

    async def arrive():
        servers.append(await asyncio.start_server(lead, "127.0.0.1", port))

    yield port, arrive
    for server in servers:
        server.close()
