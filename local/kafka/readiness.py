"""Check, with Kafka's own protocol, whether a broker is ready. An open port alone does not mean a ready broker.

The check is blocking and uses no client library, so it works in any thread, with or without an event loop.
"""

import socket
import struct
from dataclasses import dataclass

FIND_COORDINATOR, METADATA = 10, 3
VERSION = 1  # of both requests: the oldest one with the controller and the coordinator's kind
GROUP, TRANSACTION = 0, 1
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class NotReady:
    """The reason why a broker is not ready."""

    why: str


def check(port: int, node: int, nodes: int) -> NotReady | None:
    """Return why a broker is not ready, or None.

    A ready broker is among at least `nodes` live ones and knows both coordinators.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            live = _live_nodes(connection)
            if node not in live or len(live) < nodes:
                return NotReady(f"its metadata shows the nodes {sorted(live)} of {nodes}")
            for kind, name in ((GROUP, "group"), (TRANSACTION, "transaction")):
                response = _Response(
                    _request(connection, FIND_COORDINATOR, _string("readiness") + struct.pack(">b", kind))
                )
                response.integer()  # throttle time
                if code := response.short():
                    return NotReady(f"there is no {name} coordinator yet (error {code})")
    except (OSError, struct.error) as error:
        return NotReady(f"port {port} does not respond ({type(error).__name__})")
    return None


def lists(port: int, node: int) -> bool:
    """Say whether a broker lists a node. It may, if it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            return node in _live_nodes(connection)
    except (OSError, struct.error):
        return True


def _live_nodes(connection: socket.socket) -> set[int]:
    response = _Response(_request(connection, METADATA, struct.pack(">i", 0)))
    nodes = set()
    for _ in range(response.integer()):
        nodes.add(response.integer())
        response.string()  # host
        response.integer()  # port
        response.string()  # rack
    return nodes


def _request(connection: socket.socket, request: int, body: bytes) -> bytes:
    message = struct.pack(">hhi", request, VERSION, 0) + _string("readiness") + body
    connection.sendall(struct.pack(">i", len(message)) + message)
    (size,) = struct.unpack(">i", _read(connection, 4))
    return _read(connection, size)[4:]  # past the correlation id


def _read(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = connection.recv(size - len(received))
        if not chunk:
            raise ConnectionError("closed by the broker")
        received += chunk
    return received


def _string(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


class _Response:
    """A cursor over a response."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def short(self) -> int:
        return self._unpack(">h", 2)

    def integer(self) -> int:
        return self._unpack(">i", 4)

    def string(self) -> None:
        size = self.short()
        self._at += max(size, 0)

    def _unpack(self, layout: str, size: int) -> int:
        (value,) = struct.unpack_from(layout, self._content, self._at)
        self._at += size
        return int(value)
