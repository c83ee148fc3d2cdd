"""A broker with two listeners. The second is reached through a proxy of the test, which can cut it."""

import asyncio
import contextlib
from dataclasses import dataclass

from local.kafka.broker import Node
from local.kafka.nodes import Cluster
from local.processes.ports import free_ports


@dataclass(frozen=True, slots=True)
class _Node(Node):
    second_port: int = 0
    proxy_port: int = 0

    def write(self, nodes, jars, properties, archive=None):
        own = f"PLAINTEXT://127.0.0.1:{self.port}"
        second = {
            "listeners": f"{own},SECOND://127.0.0.1:{self.second_port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"{own},SECOND://127.0.0.1:{self.proxy_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECOND:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }
        Node.write(self, nodes, jars, second | properties, archive)


class TwoDoors(Cluster):
    """One broker: `bootstrap` always reaches it, `second_bootstrap` unless it is cut."""

    def _plan_nodes(self, directory):
        (node,) = super()._plan_nodes(directory)
        second, proxy = free_ports(2)
        return [_Node(node.number, node.directory, node.port, node.controller_port, second, proxy)]

    @property
    def second_bootstrap(self):
        return f"127.0.0.1:{self._nodes[0].proxy_port}"

    def proxy(self):
        node = self._nodes[0]
        return Proxy(node.proxy_port, node.second_port)


class Proxy:
    """Passes bytes on. Use it with `async with`."""

    def __init__(self, port, target):
        self._port, self._target = port, target
        self._server = None
        self._tasks = set()
        self._passes = asyncio.Event()
        self._passes.set()

    async def __aenter__(self):
        await self.mend()
        return self

    async def __aexit__(self, *_):
        await self.refuse()

    async def mend(self):
        """Let all bytes pass, and accept connections."""
        self._passes.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    async def refuse(self):
        """Close each connection, and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def silence(self):
        """Pass no byte; keep each connection open."""
        self._passes.clear()

    async def _connected(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        upstream = None
        try:
            with contextlib.suppress(OSError):
                source, upstream = await asyncio.open_connection("127.0.0.1", self._target)
                await asyncio.gather(self._pipe(reader, upstream), self._pipe(source, writer))
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()

    async def _pipe(self, reader, writer):
        with contextlib.suppress(OSError):
            while chunk := await reader.read(1 << 16):
                await self._passes.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()
