"""The three ports on real sockets. They differ in their bounds and in the form of a problem, and in nothing else."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest
import uvicorn.server
from prometheus_client import CollectorRegistry

from console.main import LIMITS as CONSOLE_LIMITS
from console.main import console_port as make_console_port
from console.middleware import page_recorder
from runtime.admin.app import admin_app
from runtime.admin.port import admin_port as make_admin_port
from runtime.health import Health
from runtime.http_server.body import BodyBound
from runtime.http_server.connections import ConnectionLimits, Connections
from runtime.http_server.server import limited_protocol
from runtime.metrics import Metrics
from runtime.serving import serving
from tests.process.ingress.conftest import Door, QuickAsyncio
from tests.unit.console.app import ORIGIN, console_app

FULL = 20


@dataclass
class Port(Door):
    name: str
    port: int
    limits: ConnectionLimits
    get: bytes
    post: bytes
    health: Health
    sample: Callable

    async def is_served(self):
        """Send a request on a new connection. Return whether it is answered."""
        return (await self.raw(self.get + b"\r\n")).status == 200

    def open_connections(self):
        return self.sample("collate_gateway_connections", {"port": self.name})

    def shed(self, reason):
        return self.sample("collate_gateway_shed_total", {"reason": reason})

    def is_problem(self, reply, status, slug):
        """Return whether the reply is a problem in the form of this port."""
        assert reply.status == status
        request_id = reply.headers["x-request-id"]
        if self.name == "console":
            assert reply.headers["content-type"] == "text/html; charset=utf-8"
            assert reply.headers["content-security-policy"].startswith("default-src 'none'")
            assert f"<p>Request id: {request_id}</p>" in reply.body.decode()
            return True
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["type"] == f"urn:collate-gateway:problem:{slug}"
        assert reply.json["requestId"] == request_id
        return bool(reply.json["detail"])


@pytest.fixture
def limits():
    return ConnectionLimits(head_seconds=60.0, keepalive_seconds=0.0, connections=FULL)


@pytest.fixture
def settings_of():
    return {"GATEWAY_INGRESS__MAX_CONNECTIONS": str(FULL)}


@pytest.fixture(params=["api", "console", "admin"])
def port(request, monkeypatch, limits, settings_of, body_seconds):
    monkeypatch.setattr(uvicorn.server, "asyncio", QuickAsyncio())
    monkeypatch.setitem(BodyBound.__init__.__kwdefaults__, "seconds", body_seconds)
    return request.getfixturevalue(f"{request.param}_port")


@pytest.fixture
def api_port(ingress):
    return Port(
        "api",
        ingress.port,
        ingress.limits,
        ingress.head("GET", "/openapi.json", {"Authorization": None}),
        ingress.head(
            "POST",
            "/v1/authorizations/auth_1/handoffs",
            {"Idempotency-Key": "k", "Content-Type": "application/json"},
        ),
        ingress.process.health,
        ingress.process.registry.get_sample_value,
    )


@asynccontextmanager
async def served(name, app, port, **own):
    registry, health = own.pop("registry"), own.pop("health")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            serving(app, "127.0.0.1", 0, stop_seconds=5, http=limited_protocol(port))
        )
        sweeps = asyncio.create_task(port.connections.run())
        yield Port(name, server.port, port.connections.limits, **own, health=health, sample=registry.get_sample_value)
    sweeps.cancel()


@pytest.fixture
async def console_port(limits):
    registry, health = CollectorRegistry(), Health()
    limits = replace(limits, header_bytes=CONSOLE_LIMITS.header_bytes, head_bytes=CONSOLE_LIMITS.head_bytes)
    metrics = Metrics(registry)
    connections, recorder = Connections("console", limits, metrics, health), page_recorder(metrics.console)
    port = make_console_port(connections, recorder, encrypted=False)
    async with served(
        "console",
        console_app(),
        port,
        get=b"GET /sign-in HTTP/1.1\r\nHost: console\r\n",
        post=f"POST /work HTTP/1.1\r\nHost: console\r\nOrigin: {ORIGIN}\r\n".encode()
        + b"Content-Type: application/x-www-form-urlencoded\r\n",
        registry=registry,
        health=health,
    ) as opened:
        yield opened


@pytest.fixture
async def admin_port(limits, monkeypatch):
    registry, health = CollectorRegistry(), Health()
    health.set("all", "ok")
    monkeypatch.setattr("runtime.admin.port.LIMITS", replace(limits, refuses_none=True))
    port = make_admin_port(Metrics(registry))
    app = admin_app(health, registry, lambda: None, lambda: lambda _: {"resumed": [], "stopped": []})
    async with served(
        "admin",
        app,
        port,
        get=b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        post=b"POST /resume HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n",
        registry=registry,
        health=health,
    ) as opened:
        yield opened
