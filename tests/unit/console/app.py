"""The console's application with a scripted API, for tests without servers."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from console.api import Api
from console.app import create_app
from console.middleware import page_recorder
from console.page import PageContent, read_content
from runtime.metrics import Metrics
from runtime.settings import ConsoleProcessSettings
from tests.unit.console.program_words import program_words

ORIGIN = "http://127.0.0.1:8090"
NOW = datetime(2026, 11, 26, 3, 14, tzinfo=UTC)
STAFF = ("authorization:read", "authorization:review", "handoff:request", "handoff:grant", "handoff:close")
Answers = Callable[[httpx.Request], httpx.Response]


def console_settings(**own: Any) -> ConsoleProcessSettings:
    console = {"public_url": ORIGIN, "api_url": "http://api.test", "trust_bearer": True} | own
    return ConsoleProcessSettings.model_validate({"environment": "test", "console": console})


def me(request: httpx.Request, permissions: Iterable[str] = STAFF, name: str = "jo.miller") -> httpx.Response:
    return httpx.Response(
        200,
        json={"caller": f"people:{name}", "kind": "person", "person": name, "permissions": list(permissions)},
    )


def console_app(
    answers: Answers = me, routes: Iterable[BaseRoute] = (), settings: ConsoleProcessSettings | None = None
) -> Starlette:
    """Return the application. `answers` is the API; `routes` are further pages."""
    settings = settings or console_settings()
    api = Api(settings.console, httpx.AsyncClient(transport=httpx.MockTransport(answers)))
    recorder = page_recorder(Metrics(CollectorRegistry()).console)
    app = create_app(settings, api, recorder, now=lambda: NOW, content=_content())
    app.router.routes.extend(routes)
    return app


@cache
def _content() -> PageContent:
    # Compiling the templates takes ten times as long as a page.
    return read_content()


def browser(app: Starlette, **headers: str) -> httpx.AsyncClient:
    """Return a client that has a proxy's token and says where its requests come from, as browsers do."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=True),
        base_url=ORIGIN,
        headers={"authorization": "Bearer token", "sec-fetch-site": "same-origin"} | headers,
        event_hooks={"response": [_is_for_people]},
    )


async def _is_for_people(response: httpx.Response) -> None:
    """Check each page that any test shows: no state of it has a word for programs."""
    if response.headers.get("content-type", "").startswith("text/html"):
        await response.aread()
        found = program_words(response.text)
        assert not found, f"{response.request.url} has words for programs: {found}"
