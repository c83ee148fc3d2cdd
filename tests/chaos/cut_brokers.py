"""Three brokers, each of which can be cut off from its peers while clients still reach it.

Every connection between two brokers passes through a proxy of this process. Each JVM has its own hosts file, so broker
1 finds broker 2 at 127.0.1.2 and broker 3 finds it at 127.0.3.2: an address names both ends of a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from local.kafka.broker import Node
from local.kafka.nodes import Cluster
from local.processes.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class _CuttableNode(Node):
    internal_port: int = 0

    def write(
        self, nodes: Sequence[Node], jars: Sequence[Path], properties: Mapping[str, str], archive: Path | None = None
    ) -> None:
        Node.write(self, nodes, jars, {**self._listeners(nodes), **properties}, archive)
        hosts = self.directory / "hosts"
        others = "".join(
            f"{_between(self.number, node.number)} {_name(node.number)}\n" for node in nodes if node is not self
        )
        hosts.write_text(f"127.0.0.1 localhost {_name(self.number)}\n{others}")
        with (self.directory / "java.arguments").open("a") as arguments:
            arguments.write(f"-Djdk.net.hosts.file={hosts}\n")

    def _listeners(self, nodes: Sequence[Node]) -> dict[str, str]:
        voters = ",".join(f"{node.number}@{_name(node.number)}:{node.controller_port}" for node in nodes)
        clients = f"PLAINTEXT://127.0.0.1:{self.port}"
        return {
            "controller.quorum.voters": voters,
            "listeners": f"{clients},INTERNAL://127.0.0.1:{self.internal_port},"
            f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"{clients},INTERNAL://{_name(self.number)}:{self.internal_port}",
            "inter.broker.listener.name": "INTERNAL",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }


class CuttableCluster(Cluster):
    """Three brokers whose network between each other can be cut. Open it with `async with`."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        super().__init__(brokers=3, properties=properties)
        self._proxies: list[asyncio.Server] = []
        self._cut: int | None = None
        self._mended = asyncio.Event()

    def cut(self, index: int) -> None:
        """Drop all traffic between this broker and its peers, in both directions. Connections stay open."""
        self._cut = index + 1
        self._mended.clear()

    def mend(self) -> None:
        """Let all traffic pass again."""
        self._cut = None
        self._mended.set()

    async def __aenter__(self) -> Self:
        """Start the brokers and the proxies between them."""
        opening = asyncio.create_task(asyncio.to_thread(self.open))
        while not opening.done() and not self._nodes:  # noqa: ASYNC110 - the ports are known once the nodes are planned
            await asyncio.sleep(0.01)
        await self._start_proxies()
        await opening
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything."""
        self.mend()
        for proxy in self._proxies:
            proxy.close()
        await asyncio.to_thread(self.close)

    def _plan_nodes(self, directory: Path) -> list[Node]:
        ports = free_ports(len(self.brokers))
        return [
            _CuttableNode(node.number, node.directory, node.port, node.controller_port, ports[node.number - 1])
            for node in super()._plan_nodes(directory)
        ]

    async def _start_proxies(self) -> None:
        for client in self._nodes:
            for server in self._nodes:
                if client is not server:
                    for port in (server.internal_port, server.controller_port):
                        await self._start_proxy(client.number, server.number, port)

    async def _start_proxy(self, client: int, server: int, port: int) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._passes(client, server)
            with contextlib.suppress(OSError):
                upstream, downstream = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(
                    self._pipe(reader, downstream, client, server), self._pipe(upstream, writer, client, server)
                )
            writer.close()

        self._proxies.append(await asyncio.start_server(connected, _between(client, server), port))

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: int, server: int) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._passes(client, server)
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def _passes(self, *ends: int) -> None:
        while self._cut in ends:
            await self._mended.wait()


def _name(number: int) -> str:
    return f"broker{number}.test"


def _between(client: int, server: int) -> str:
    return f"127.0.{client}.{server}"
