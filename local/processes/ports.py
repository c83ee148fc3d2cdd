"""Free TCP ports on the loopback interface.

The ports are below the range for outgoing connections, so a client that reconnects to a killed server cannot take the
server's port. They are also below the node ports of Kubernetes (30000 to 32767), which kube-router never blocks.

A port is free until its server binds it, and that can take seconds. So each process draws from blocks of its own: no
process that uses this module can get the same port meanwhile. A process owns a block while it has bound the block's
first port, and the operating system ends that with the process. Any other program can still take a free port before its
use, so a caller that starts a server must retry.
"""

import os
import random
import socket
import threading
from collections import deque

from local.failures import StartFailed

FIRST, LAST = 20_000, 29_999
BLOCK_SIZE = 100


class _OwnPorts:
    """The blocks of this process. A port is drawn again only after all others of its blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ports: deque[int] = deque()

    def draw(self, count: int) -> list[int]:
        found: list[int] = []
        with self._lock:
            seen = 0
            while len(found) < count:
                if seen == len(self._ports):
                    self._claim_block()
                self._ports.rotate(-1)
                seen += 1
                if (candidate := _bind(self._ports[-1])) is not None:
                    candidate.close()
                    found.append(self._ports[-1])
        return found

    def _claim_block(self) -> None:
        firsts = range(FIRST, LAST + 1, BLOCK_SIZE)
        for first in random.sample(firsts, len(firsts)):
            if (claim := _bind(first)) is not None:
                claim.detach()  # it stays bound until the process ends
                self._ports.extendleft(range(first + BLOCK_SIZE - 1, first, -1))
                return
        raise StartFailed(f"too few of the ports {FIRST}-{LAST} are free on 127.0.0.1: other processes use all blocks")


_own_ports = _OwnPorts()


def _forget_parent() -> None:
    global _own_ports  # noqa: PLW0603 - a forked process must not draw from its parent's blocks
    _own_ports = _OwnPorts()


os.register_at_fork(after_in_child=_forget_parent)


def free_ports(count: int) -> list[int]:
    """Return different ports on which no process listens. Raises StartFailed if too few are free."""
    return _own_ports.draw(count)


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
