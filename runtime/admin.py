"""The admin port: /livez, /readyz, /startupz, /metrics, /lanes, which change nothing; /resume (`resuming`). No PHI."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runtime.admin_resume import Resume, answer
from runtime.health import Health, Report

PartitionStatus = Callable[[], Any]


def admin_app(
    health: Health,
    registry: CollectorRegistry,
    lanes: Callable[[], PartitionStatus | None],
    resume: Callable[[], Resume | None] = lambda: None,
) -> Starlette:
    """Build the admin port's application; `lanes()` and `resume()` give what is behind them once it is there."""

    async def livez(_: Request) -> Response:
        return _probe(health.live())

    async def readyz(_: Request) -> Response:
        return _probe(health.ready())

    async def startupz(_: Request) -> Response:
        return _probe(health.startup())

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    async def lanes_now(_: Request) -> Response:
        show = lanes()
        if show is None:
            return _json({"summary": "this process has no lanes"}, 404)
        return _json(show(), 200)

    async def resume_now(request: Request) -> Response:
        status, body = await answer(request, resume())
        return _json(body, status)

    async def index(_: Request) -> Response:
        paths = [route.path for route in app.routes if isinstance(route, Route) and route.path != "/"]
        return _json({"summary": "the admin port; not for callers", "paths": paths}, 200)

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/livez", livez),
            Route("/readyz", readyz),
            Route("/startupz", startupz),
            Route("/metrics", metrics),
            Route("/lanes", lanes_now),
            Route("/resume", resume_now, methods=["POST"]),
        ]
    )
    return app


def _probe(report: Report) -> Response:
    return _json(asdict(report), 200 if report.good else 503)


def _json(body: Any, status: int) -> Response:
    text = json.dumps(body, indent=2, ensure_ascii=False, default=str) + "\n"
    return Response(text, status, headers={"cache-control": "no-store"}, media_type="application/json")
