"""Check, with Kafka's own protocol, whether a broker is ready. An open port alone does not mean a ready broker.

The check is blocking, so it works in any thread, with or without an event loop.
"""

import socket
from typing import Any

from aiokafka.protocol.api import RequestStruct
from aiokafka.protocol.coordination import FindCoordinatorRequest_v1
from aiokafka.protocol.metadata import MetadataRequest_v1
from aiokafka.protocol.types import Int32

GROUP, TRANSACTION = 0, 1
TIMEOUT_SECONDS = 2.0


def check(port: int, node: int, nodes: int) -> str | None:
    """Return why a broker is not ready, or None.

    A ready broker is among at least `nodes` live ones and knows both coordinators.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            live = _live_nodes(connection)
            if node not in live or len(live) < nodes:
                return f"its metadata shows the nodes {sorted(live)} of {nodes}"
            for kind, name in ((GROUP, "group"), (TRANSACTION, "transaction")):
                if code := _ask(connection, FindCoordinatorRequest_v1("readiness", kind)).error_code:
                    return f"there is no {name} coordinator yet (error {code})"
    except (OSError, ValueError) as error:
        return f"port {port} does not respond ({type(error).__name__})"
    return None


def lists(port: int, node: int) -> bool:
    """Say whether a broker lists a node. It may, if it does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            return node in _live_nodes(connection)
    except (OSError, ValueError):
        return True


def _live_nodes(connection: socket.socket) -> set[int]:
    return {number for number, *_ in _ask(connection, MetadataRequest_v1([])).brokers}


def _ask(connection: socket.socket, request: RequestStruct) -> Any:
    """Send a request and return its response. Raises ValueError if the broker closes the connection before its end."""
    message = request.build_request_header(0, "readiness").encode() + request.encode()
    connection.sendall(Int32.encode(len(message)) + message)
    with connection.makefile("rb") as answer:
        Int32.decode(answer)
        request.parse_response_header(answer)
        return request.RESPONSE_TYPE.decode(answer)
