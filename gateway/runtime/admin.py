"""The admin port: /livez, /readyz, /startupz, /metrics and /lanes. Reads, never changes anything; no PHI."""

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

from gateway.runtime.health import Health, Report

Lanes = Callable[[], Any]


def admin_app(health: Health, registry: CollectorRegistry, lanes: Callable[[], Lanes | None]) -> Starlette:
    """Build the admin port's application; `lanes()` gives the callable behind /lanes once there is one."""

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
        ]
    )
    return app


def _probe(report: Report) -> Response:
    return _json(asdict(report), 200 if report.good else 503)


def _json(body: Any, status: int) -> Response:
    text = json.dumps(body, indent=2, ensure_ascii=False, default=str) + "\n"
    return Response(text, status, headers={"cache-control": "no-store"}, media_type="application/json")
