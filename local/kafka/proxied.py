"""A cluster whose clients reach each broker through a proxy that knows frames; brokers reach each other directly."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.kafka.broker import Node
from local.kafka.frame_proxy import FrameProxies
from local.kafka.nodes import Cluster
from local.processes.ports import free_ports


def rack_of(number: int) -> str:
    """Return the `broker.rack` of a broker."""
    return f"zone-{number}"


@dataclass(frozen=True, slots=True)
class _ProxiedNode(Node):
    """`port` is the broker's own, which only its proxy and the local tools use."""

    client_port: int = 0
    internal_port: int = 0

    def _defaults(self, nodes: Sequence[Node]) -> dict[str, str]:
        internal = f"INTERNAL://127.0.0.1:{self.internal_port}"
        return Node._defaults(self, nodes) | {  # noqa: SLF001 - the base class
            "broker.rack": rack_of(self.number),
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},{internal},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.client_port},{internal}",
            "inter.broker.listener.name": "INTERNAL",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        }


class ProxiedCluster(Cluster):
    """Brokers behind `proxies`, whose rules may change while clients run."""

    def __init__(self, proxies: FrameProxies, brokers: int = 3, **options: Any) -> None:
        super().__init__(brokers, **options)
        self.proxies = proxies
        self._client_ports: dict[int, int] = {}

    @property
    def bootstrap(self) -> str:
        """The addresses of all proxies, comma-separated."""
        return ",".join(f"127.0.0.1:{port}" for port in self._client_ports.values())

    def close(self) -> None:
        """Stop all nodes and proxies."""
        self.proxies.close()
        super().close()

    def _open(self) -> None:
        super()._open()
        self.proxies.open({node.number: (self._client_ports[node.number], node.port) for node in self._nodes})

    def _plan_nodes(self, directory: Path) -> list[Node]:
        nodes = super()._plan_nodes(directory)
        ports = free_ports(2 * len(nodes))
        self._client_ports = {node.number: port for node, port in zip(nodes, ports, strict=False)}
        return [
            _ProxiedNode(node.number, node.directory, node.port, node.controller_port, client, internal)
            for node, client, internal in zip(nodes, ports[: len(nodes)], ports[len(nodes) :], strict=True)
        ]
