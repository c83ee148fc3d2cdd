"""The admin port: probes, metrics, partition status (/partitions), and /resume (`resume`). It shows no PHI."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.admin.resume import Resume, handle_resume
from runtime.health import Health, ProbeResult
from runtime.http_server.body import BodyBound
from runtime.http_server.problem import Problem

PartitionStatus = Callable[[], Any]
_MAX_BODY_BYTES = 4 << 10


def admin_app(
    health: Health,
    registry: CollectorRegistry,
    partition_status: Callable[[], PartitionStatus | None],
    resume: Callable[[], Resume | None] = lambda: None,
) -> Starlette:
    """Build the admin port's application. Both callables return None until the process has partitions."""

    async def livez(_: Request) -> Response:
        return _probe(health.live())

    async def readyz(_: Request) -> Response:
        return _probe(health.ready())

    async def startupz(_: Request) -> Response:
        return _probe(health.startup())

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def partitions(_: Request) -> Response:
        status = partition_status()
        if status is None:
            return _json({"summary": "this process has no partitions"}, 404)
        return _json(status(), 200)

    async def resume_partitions(request: Request) -> Response:
        status, body = await handle_resume(request, resume())
        return _json(body, status)

    async def index(_: Request) -> Response:
        paths = [route.path for route in app.routes if isinstance(route, Route) and route.path != "/"]
        return _json({"summary": "admin port, not for callers", "paths": paths}, 200)

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/startupz", startupz),
            Route("/metrics", metrics),
            Route("/partitions", partitions),
            Route("/resume", resume_partitions, methods=["POST"]),
        ],
        middleware=[Middleware(BodyBound, max_bytes=_MAX_BODY_BYTES, refuse=_as_it_is)],
        exception_handlers={Problem: _show_problem},
    )
    return app


def _as_it_is(problem: Problem) -> Problem:
    return problem


async def _show_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - the key of this handler
    response = _json({"summary": error.detail}, error.status)
    response.headers.update(error.headers() | {"content-type": "application/json"})
    return response


def _probe(result: ProbeResult) -> Response:
    return _json(asdict(result), 200 if result.good else 503)


def _json(body: Any, status: int) -> Response:
    text = json.dumps(body, indent=2, ensure_ascii=False, default=str) + "\n"
    return Response(text, status, headers={"cache-control": "no-store"}, media_type="application/json")
