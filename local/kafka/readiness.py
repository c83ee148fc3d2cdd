"""Ask a broker, in Kafka's own protocol, whether it is ready: a port that is open is not a broker that answers.

Blocking and without a client library, so that it works from any thread, with or without an event loop.
"""

import socket
import struct
from dataclasses import dataclass

FIND_COORDINATOR, METADATA = 10, 3
VERSION = 1  # of both requests: the oldest that names the controller and the coordinator's kind
GROUP, TRANSACTION = 0, 1
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class NotReady:
    """What the broker did not answer yet."""

    why: str


def check(port: int, node: int, nodes: int) -> NotReady | None:
    """Ask one broker for itself among `nodes` live ones, and for both coordinators; None means ready."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            live = _live_nodes(_Answer(_ask(connection, METADATA, struct.pack(">i", 0))))
            if node not in live or len(live) < nodes:
                return NotReady(f"its metadata shows the nodes {sorted(live)} of {nodes}")
            for kind, name in ((GROUP, "group"), (TRANSACTION, "transaction")):
                answer = _Answer(_ask(connection, FIND_COORDINATOR, _string("readiness") + struct.pack(">b", kind)))
                answer.integer()  # throttle time
                if code := answer.short():
                    return NotReady(f"there is no {name} coordinator yet (error {code})")
    except (OSError, struct.error) as error:
        return NotReady(f"port {port} does not answer ({type(error).__name__})")
    return None


def _live_nodes(answer: "_Answer") -> set[int]:
    nodes = set()
    for _ in range(answer.integer()):
        nodes.add(answer.integer())
        answer.string()  # host
        answer.integer()  # port
        answer.string()  # rack
    return nodes


def _ask(connection: socket.socket, request: int, body: bytes) -> bytes:
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


class _Answer:
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
