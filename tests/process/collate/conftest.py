"""A small HTTP server with scripted faults: one script per connection, on a real socket."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop
from prometheus_client import CollectorRegistry

from adapters.collate.open_client import open_client
from runtime.metrics import Metrics
from runtime.settings import CollateSettings

Script = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One connection as the server sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "Server"

    async def request(self) -> bytes:
        """Read one whole request and remember it."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        raw = head + await self.reader.readexactly(length)
        self.server.requests.append(raw)
        return raw

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass
class Server:
    """Runs the same script on every connection."""

    script: Script
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            await self.script(Exchange(reader, writer, self))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def serve():
    """Start a server on a script; returns it."""
    servers = []

    async def start(script: Script, **options) -> Server:
        server = Server(script)
        tasks, transports = set(), []

        async def handle(reader, writer):
            task = asyncio.current_task()
            tasks.add(task)
            transports.append(writer.transport)
            try:
                await server.serve(reader, writer)
            finally:
                tasks.discard(task)

        listener = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
        server.port = listener.sockets[0].getsockname()[1]
        servers.append((listener, tasks, transports))
        return server

    yield start
    for listener, tasks, transports in servers:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for transport in transports:
            if not transport.is_closing():  # Python 3.11.2 fails for a TLS transport that is closed
                transport.abort()
    # asyncio reports a closed connection in its next rounds; without them the sockets would leak.
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def settings(tmp_path):
    """Settings of a client of the server at that port. Its timeouts are short only in tests that wait for one."""
    key = tmp_path / "key"
    key.write_text("sk_test_1\n")

    def make(port: int, **changes) -> CollateSettings:
        values = {
            "base_url": f"http://127.0.0.1:{port}",
            "api_key_file": key,
            "allow_plain_http": True,
            "calls_per_second": 10_000.0,
            "concurrency": 64,
            "connect_timeout": "60s",
            "read_timeout": "60s",
            "total_timeout": "60s",
        }
        return CollateSettings.model_validate(values | changes)

    return make


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry()).collate


@pytest.fixture
async def connect(settings, metrics):
    """Open a client of a server; closed at the end."""
    clients = []

    async def open_to(server, **changes):
        client = open_client(settings(server if isinstance(server, int) else server.port, **changes), metrics)
        clients.append(client)
        return await client.__aenter__()

    yield open_to
    for client in clients:
        await client.__aexit__(None, None, None)


@pytest.fixture
def certificate():
    """A certificate for localhost alone, and its key, in one file; made for these tests, good for nothing else."""
    return Path(__file__).with_name("localhost.pem")


def pytest_asyncio_loop_factories(config, item):
    """Run faults on both loops, which differ in when they report what; run the rest on the production loop."""
    if item.path.name in {"test_raw_faults.py", "test_proxy.py"}:
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}
