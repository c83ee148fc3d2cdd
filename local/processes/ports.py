"""Free TCP ports on the loopback interface.

The ports are below the range for outgoing connections, so a client that reconnects to a killed server cannot take the
server's port. Another process can still take a free port before its use, so a caller that starts a server must retry.
"""

import random
import socket

from local.failures import StartFailed

FIRST, LAST = 20_000, 31_999


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


def free_or(wanted: int) -> int:
    """Return the wanted port if it is free, else another free port."""
    holder = _bind(wanted)
    if holder is None:
        return free_ports(1)[0]
    holder.close()
    return wanted


def _bind(port: int) -> socket.socket | None:
    candidate = socket.socket()
    try:
        candidate.bind(("127.0.0.1", port))
    except OSError:
        candidate.close()
        return None
    return candidate
