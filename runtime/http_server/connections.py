"""The open connections: their number, their states and the clock of each state.

One sweep closes every connection whose clock has run out, so a request starts and stops no timer. A full port closes
the connections that have waited longest, first the connections that never carried a valid credential. Without a waiting
connection it closes the connection whose body has been unfinished for longest. If no connection has an unfinished body,
the port refuses the new connection. The admin port refuses none: it closes the request that was begun first.
"""

import asyncio
import heapq
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import Protocol

from runtime.health import Health
from runtime.http_server.port_problems import Overloaded
from runtime.http_server.problem import Problem
from runtime.metrics import Metrics

SWEEP_SECONDS = 0.25
# A sweep that comes later than this shows that the process stood still, so that clients could not be heard.
_LATE_SECONDS = 2 * SWEEP_SECONDS
# After a standstill a connection stays open for this time at least, once in each state.
_SPARED_SECONDS = 2.0
# A full server makes room for several connections at a time, because each search for the longest wait reads all of
# them.
_ROOM_SHARE = 0.01
# This share of the limit may be refused at the same time with a response. A further connection is closed without one.
_REFUSED_SHARE = 0.05
# After a refusal the server is not ready for this time, so that a load balancer notices.
_NOT_READY_SECONDS = 5.0


class ConnectionState(StrEnum):
    """The states of a connection. runtime/http_server/server.py draws the transitions."""

    NEW = "new"
    HEAD = "head"
    SERVING = "serving"
    IDLE = "idle"
    LEAVING = "leaving"
    DRAINING = "draining"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of a connection and of a request's head.

    `keepalive_seconds` is the time that a stopping server keeps an unused connection open.
    `write_seconds` is longer than the write timeout of an event stream, which names its reason before it disconnects.
    `pipelined_requests` bounds the requests of a connection that wait for the response of an earlier one.
    `connections_per_peer` is 0 without a bound. A port that `refuses_none` closes a busy connection if all are busy.
    """

    url_bytes: int = 4 << 10
    header_count: int = 64
    header_bytes: int = 16 << 10
    head_bytes: int = 32 << 10
    head_seconds: float = 10.0
    idle_seconds: float = 75.0
    keepalive_seconds: float = 5.0
    drain_seconds: float = 2.0
    write_seconds: float = 30.0
    pipelined_requests: int = 32
    connections: int = 2_000
    connections_per_peer: int = 0
    refuses_none: bool = False

    def clocks(self) -> Mapping[ConnectionState, float]:
        """Return the seconds that a connection may stay in each state. `RequestDeadline` bounds SERVING."""
        return {
            ConnectionState.NEW: self.head_seconds,
            ConnectionState.HEAD: self.head_seconds,
            ConnectionState.SERVING: math.inf,
            ConnectionState.IDLE: self.idle_seconds,
            ConnectionState.LEAVING: self.keepalive_seconds,
            ConnectionState.DRAINING: self.drain_seconds,
            ConnectionState.CLOSING: self.write_seconds,
        }


class ClockedConnection(Protocol):
    """A connection as the sweep sees it. Times are those of the event loop."""

    state: ConnectionState
    entered_at: float
    write_paused_at: float
    is_known: bool
    was_spared: bool

    @property
    def peer(self) -> str:
        """The peer's address."""

    @property
    def is_receiving(self) -> bool:
        """Whether a part of the current request's body has not arrived."""

    def close(self) -> None:
        """Close it after the bytes in its buffer."""

    def abort(self) -> None:
        """Close it immediately."""


class Connections:
    """Every open connection of a port. `run` must run as a task."""

    def __init__(self, port: str, limits: ConnectionLimits, metrics: Metrics, health: Health | None = None) -> None:
        """`port` is the label of the metrics. A port with `health` makes the process unready while it refuses."""
        self.limits = limits
        self._clocks = limits.clocks()
        self._shed = metrics.ingress.shed
        self._health = health
        self._open: set[ClockedConnection] = set()
        self._peers: Counter[str] = Counter()
        self._refused_at = -math.inf
        self._swept_at = math.inf
        metrics.process.connections.labels(port).set_function(lambda: len(self._open))
        metrics.process.connections_limit.labels(port).set(limits.connections)

    def add(self, connection: ClockedConnection, now: float) -> Problem | None:
        """Add a connection. Return the problem of one that is refused."""
        limits, problem = self.limits, None
        if limits.connections_per_peer and self._peers[connection.peer] >= limits.connections_per_peer:
            problem = self._refusal("peer_connections")
        elif len(self._open) >= limits.connections and not self._make_room():
            self._refused_at = now
            problem = self._refusal("connections")
        self._open.add(connection)
        if limits.connections_per_peer:
            self._peers[connection.peer] += 1
        return problem

    def remove(self, connection: ClockedConnection) -> None:
        """Remove a connection that is lost. Removing it twice does nothing."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        if self.limits.connections_per_peer:
            self._peers[connection.peer] -= 1
            if not self._peers[connection.peer]:
                del self._peers[connection.peer]

    @property
    def may_drain(self) -> bool:
        """Whether a refused connection may stay until its client has read the response."""
        return len(self._open) <= self.limits.connections * (1 + _REFUSED_SHARE)

    def sweep(self, now: float) -> None:
        """Close every connection whose clock has run out, and report the number of connections.

        The bytes that arrived during a standstill of this process are read after this sweep; a close would reset the
        connection and lose them. So the sweep spares a connection, once in each state: on a machine that is always
        slow, each sweep is late.
        """
        stood_still = now - self._swept_at > _LATE_SECONDS
        self._swept_at = now
        for connection in tuple(self._open):
            if stood_still and not connection.was_spared:
                self._spare(connection, now)
            if now - connection.write_paused_at >= self.limits.write_seconds:
                connection.abort()
            elif now - connection.entered_at >= self._clocks[connection.state]:
                if connection.state is ConnectionState.CLOSING:
                    connection.abort()
                else:
                    connection.close()
        is_full = now - self._refused_at < _NOT_READY_SECONDS
        detail = f"{len(self._open)} of {self.limits.connections} connections are open"
        if self._health is not None:
            self._health.set("connections", "waiting" if is_full else "ok", detail + ", all busy" * is_full)

    async def run(self) -> None:
        """Sweep until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.sweep(loop.time())
            await asyncio.sleep(SWEEP_SECONDS)

    def _spare(self, connection: ClockedConnection, now: float) -> None:
        clock, write_clock = self._clocks[connection.state], self.limits.write_seconds
        left = min(clock - (now - connection.entered_at), write_clock - (now - connection.write_paused_at))
        if left < _SPARED_SECONDS:
            connection.was_spared = True
            connection.entered_at = max(connection.entered_at, now - max(0.0, clock - _SPARED_SECONDS))
            connection.write_paused_at = max(connection.write_paused_at, now - max(0.0, write_clock - _SPARED_SECONDS))

    def _make_room(self) -> bool:
        """Close the connections that have waited longest. Return whether there were any."""
        closable = [own for own in self._open if own.state is not ConnectionState.SERVING]
        count = max(1, int(self.limits.connections * _ROOM_SHARE))
        if not closable:
            count, closable = 1, [own for own in self._open if own.is_receiving]
        if not closable and self.limits.refuses_none:
            closable = [*self._open]
        for connection in heapq.nsmallest(count, closable, key=lambda one: (one.is_known, one.entered_at)):
            connection.abort()
            self.remove(connection)
            self._shed.labels("idle_connections").inc()
        return bool(closable)

    def _refusal(self, reason: str) -> Problem:
        self._shed.labels(reason).inc()
        return Overloaded("Connect again later, or keep fewer connections.", retry_after_seconds=1)


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, and the /64 network of an IPv6 address: one machine can use all of it."""
    if ":" not in address:
        return address
    parsed = IPv6Address(address)
    return parsed.packed[:8].hex() if parsed.ipv4_mapped is None else str(parsed.ipv4_mapped)
