"""A broker with two listeners. The second is reached through a proxy of the test, which can cut it."""

from dataclasses import dataclass

from local.kafka.broker import Node
from local.kafka.nodes import Cluster
from local.processes.ports import free_ports
from tests.system.proxy import Proxy


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
        return Proxy(node.proxy_port, f"127.0.0.1:{node.second_port}")
