"""`python -m bench.transport`: calls to Collate by our transport and client, a bare floor, and httpx's own pool.

The server responds after 5 ms, so 20 calls in flight make at most 4,000 calls per second. The candidates differ in
processor time per call, and in the 99th percentile under full load.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import uvloop
from prometheus_client import CollectorRegistry

from adapters.collate.answers import Answered
from adapters.collate.http.transport import CollateTransport
from adapters.collate.open_client import open_client
from adapters.http.connection import Limits
from bench.answering import ANSWER, DELAY_SECONDS
from bench.floors.bare_calls import BareConnection
from runtime.logs import configure_logs
from runtime.metrics import create_metrics
from runtime.settings import CollateSettings, LogSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Calling = Callable[[], Awaitable[Any]]

IN_FLIGHT = (20, 64, 256)
SECONDS = 2.0
PATH = "/v1/prior-authorizations/auth_1"
LIMITS = Limits(1, 5, 10, 15, 1 << 20)
HEADERS = {"Authorization": "Bearer key", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of one candidate with one number of calls in flight."""

    per_second: float
    microseconds: float
    p50: float
    p99: float


async def floor(port: int, in_flight: int, _stack: AsyncExitStack) -> Calling:
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: BareConnection(len(ANSWER)), "127.0.0.1", port) for _ in range(in_flight)
    ]
    idle = [connection for _, connection in pairs]
    for transport, _ in pairs:
        _stack.callback(transport.close)
    request = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()

    async def call() -> None:
        connection = idle.pop()
        await connection.call(request)
        idle.append(connection)

    return call


async def our_connections(port: int, _in_flight: int, stack: AsyncExitStack) -> Calling:
    transport = await stack.enter_async_context(CollateTransport(f"http://127.0.0.1:{port}", LIMITS))
    data = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()

    async def call() -> None:
        response = await transport._exchange(data)  # noqa: SLF001 - the part below the requests
        assert response.status_code == 200

    return call


async def our_transport(port: int, _in_flight: int, stack: AsyncExitStack) -> Calling:
    transport = await stack.enter_async_context(CollateTransport(f"http://127.0.0.1:{port}", LIMITS))
    headers = tuple(HEADERS.items())

    async def call() -> None:
        response = await transport.call("GET", PATH, headers)
        assert response.status_code == 200

    return call


async def our_transport_in_httpx(port: int, in_flight: int, stack: AsyncExitStack) -> Calling:
    transport = CollateTransport(f"http://127.0.0.1:{port}", LIMITS)
    return _httpx_call(await stack.enter_async_context(_httpx_client(port, in_flight, transport)))


async def our_client(port: int, in_flight: int, stack: AsyncExitStack) -> Calling:
    file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "key"
    file.write_text("key")
    settings = CollateSettings(
        base_url=f"http://127.0.0.1:{port}",
        api_key_file=file,
        allow_plain_http=True,
        calls_per_second=1e6,
        # A budget begins with a quarter of its slots, and this benchmark does not measure the wait for a slot.
        concurrency=4 * in_flight,
    )
    client = await stack.enter_async_context(open_client(settings, create_metrics(CollectorRegistry()).collate))

    async def call() -> None:
        while not isinstance(result := await client.get_authorization("auth_1"), Answered):
            until = getattr(result, "until", None)
            assert until is not None, result
            await asyncio.sleep(until - time.time())

    return call


async def httpx_pool(port: int, in_flight: int, stack: AsyncExitStack) -> Calling:
    return _httpx_call(await stack.enter_async_context(_httpx_client(port, in_flight)))


def _httpx_client(port: int, connections: int, transport: Any = None) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", limits=limits, transport=transport, trust_env=False, timeout=60
    )


def _httpx_call(client: httpx.AsyncClient) -> Calling:
    async def call() -> None:
        response = await client.get(PATH, headers=HEADERS)
        assert response.status_code == 200

    return call


CANDIDATES = {
    "floor (bytes only)": floor,
    "our transport, request built once": our_connections,
    "our transport": our_transport,
    "our transport in an AsyncClient": our_transport_in_httpx,
    "our client (budget, models, log, metrics)": our_client,
    "httpx, its own pool": httpx_pool,
}


async def measure(name: str, port: int, in_flight: int) -> Measured:
    """Warm up, then call for two seconds."""
    async with AsyncExitStack() as stack:
        call = await CANDIDATES[name](port, in_flight, stack)
        await _drive(call, in_flight, 0.5)
        wall, processor = time.perf_counter(), time.process_time()
        took = await _drive(call, in_flight, SECONDS)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    took.sort()
    calls = len(took)
    return Measured(calls / wall, processor / calls * 1e6, took[calls // 2], took[calls * 99 // 100])


async def _drive(call: Calling, in_flight: int, seconds: float) -> list[float]:
    took: list[float] = []
    ends = time.perf_counter() + seconds

    async def one() -> None:
        while (began := time.perf_counter()) < ends:
            await call()
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(one() for _ in range(in_flight)))
    return took


def main() -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        configure_logs(LogSettings(format="json", level="info"), "bench", nowhere)
        server = subprocess.Popen(
            [sys.executable, "-m", "bench.answering"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            _table(int(server.stdout.readline()))
        finally:
            server.communicate()


def _table(port: int) -> None:
    print(f"GET of 900 bytes, response after {DELAY_SECONDS * 1000:.0f} ms\n")
    print("| call | in flight | calls/s | of floor | CPU µs/call | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|")
    for in_flight in IN_FLIGHT:
        base = None
        for name in CANDIDATES:
            found = uvloop.run(measure(name, port, in_flight))
            base = base or found.per_second
            print(
                f"| {name} | {in_flight} | {found.per_second:,.0f} | {found.per_second / base:.0%} |"
                f" {found.microseconds:,.0f} | {found.p50 * 1000:.1f} | {found.p99 * 1000:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
