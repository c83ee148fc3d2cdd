"""The admin port's bounds. They are constants: the port serves probes and metrics, and refuses no connection."""

from typing import Final

from runtime.http_server.connections import ConnectionLimits, Connections
from runtime.http_server.port import Port
from runtime.metrics import Metrics

# Probes and scrapers keep a few connections. Each open head may take 32 KiB, so a full port takes 8 MiB.
LIMITS: Final = ConnectionLimits(connections=256, keepalive_seconds=0.0, refuses_none=True)


def admin_port(metrics: Metrics) -> Port:
    """Return the admin port."""
    return Port(Connections("admin", LIMITS, metrics))
