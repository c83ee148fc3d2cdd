"""Builds the client of a process, and the transport below it, from the settings."""

import random
import time
from collections.abc import Callable
from typing import Final

from adapters.collate.call_policy.budget import Bounds, Budget
from adapters.collate.call_queue import CallQueue
from adapters.collate.client import CollateClient
from adapters.collate.credentials import ApiKey
from adapters.collate.proxy import ProxyTunnel
from adapters.collate.reader import CollateReader
from adapters.collate.transport import CollateTransport
from adapters.http_connection.connection import Limits
from runtime.metrics import CollateMetrics
from runtime.settings import CollateSettings
from runtime.tracing.traces import Traces

# The share of a process's calls that is reserved for access grants and review snapshots.
LIVE_SHARE: Final = 0.25
# Authorizations whose calls fail in a row, without a success, before the breaker opens.
BREAKER_FAILURES: Final = 5
# How long an access grant or review snapshot may wait for the call budget.
_LIVE_WAIT_SECONDS: Final = 2.0
# A larger response counts as an unknown result.
_MAX_RESPONSE: Final = 2 << 20


def open_client(
    settings: CollateSettings,
    metrics: CollateMetrics,
    traces: Traces | None = None,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    environment: str | None = None,
) -> CollateReader:
    """Build the client of a process: a `CollateClient`, or with `writes` off a reader, which can send no write.

    Rate and concurrency are the settings' divided by max_replicas.
    """
    bounds = Bounds(
        per_second=settings.calls_per_second / settings.max_replicas,
        concurrency=max(1, settings.concurrency // settings.max_replicas),
        live_share=LIVE_SHARE,
        failures=BREAKER_FAILURES,
        open_seconds=settings.breaker_open.total_seconds(),
        ramp_seconds=settings.ramp_up.total_seconds(),
        live_wait_seconds=_LIVE_WAIT_SECONDS,
    )
    queue = CallQueue(Budget(bounds, monotonic(), random.random), metrics, monotonic=monotonic)
    transport, key = open_transport(settings), ApiKey(settings.api_key_file)
    if settings.writes == "off":
        return CollateReader(transport, key, queue, metrics, traces=traces, environment=environment)
    return CollateClient(
        transport,
        key,
        queue,
        metrics,
        traces=traces,
        send_idempotency_key=settings.send_idempotency_key,
        environment=environment,
    )


def open_transport(settings: CollateSettings) -> CollateTransport:
    """Build the transport to Collate, through the proxy if there is one."""
    limits = Limits(
        connect_seconds=settings.connect_timeout.total_seconds(),
        write_seconds=settings.read_timeout.total_seconds(),
        read_seconds=settings.read_timeout.total_seconds(),
        total_seconds=settings.total_timeout.total_seconds(),
        max_body=_MAX_RESPONSE,
    )
    proxy = None if settings.proxy is None else ProxyTunnel(settings.proxy, settings.proxy_credentials_file)
    return CollateTransport(settings.base_url, limits, ca_file=settings.ca_file, proxy=proxy)
