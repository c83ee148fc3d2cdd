"""Free TCP ports on the loopback interface.

The ports are below the range for outgoing connections, so a client that reconnects to a killed server cannot take the
server's port. They are also below the node ports of Kubernetes (30000 to 32767), which kube-router never blocks.
Another process can still take a free port before its use, so a caller that starts a server must retry.
"""

import random
import socket

from local.failures import StartFailed

FIRST, LAST = 20_000, 29_999


def free_ports(count: int) -> list[int]:
    """Return different ports on which no process listens."""
    held: list[socket.socket] = []
    try:
        for port in random.sample(range(FIRST, LAST + 1), LAST + 1 - FIRST):
            if len(held) == count:
                return [holder.getsockname()[1] for holder in held]
            if (candidate := _bind(port)) is not None:
                held.append(candidate)
        raise StartFailed(f"fewer than {count} of the ports {FIRST}-{LAST} are free on 127.0.0.1")
    finally:
        for holder in held:
            holder.close()


class HeldPort:
    """A port that no other process can take until `release`, just before its server starts."""

    def __init__(self, holder: socket.socket) -> None:
        self._holder = holder
        self.number: int = holder.getsockname()[1]

    def release(self) -> int:
        """Free the port for its server and return its number."""
        self._holder.close()
        return self.number


def hold(wanted: int) -> HeldPort:
    """Hold this port. Raises StartFailed if another process has it."""
    holder = _bind(wanted)
    if holder is None:
        raise StartFailed(f"Another process has port {wanted} of 127.0.0.1. Choose another port: --port {wanted + 1}")
    return HeldPort(holder)


def hold_or(wanted: int) -> HeldPort:
    """Hold this port if it is free, else another free port."""
    holder = _bind(wanted)
    while holder is None:
        holder = _bind(free_ports(1)[0])
    return HeldPort(holder)


def _bind(port: int) -> socket.socket | None:
    candidate = socket.socket()
    try:
        candidate.bind(("127.0.0.1", port))
    except OSError:
        candidate.close()
        return None
    return candidate
