"""The application of the console: its routes and its middleware. `console.main` serves it."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route

from adapters.oidc.code_flow import CodeFlow, OidcClient
from console import pages
from console.api import Api
from console.errors import failure_page, on_http_exception, page_error
from console.middleware import MAX_PAGES_PER_PERSON, CrossSiteCheck, PagesInFlight, begin_exchange
from console.page import Console, PageContent, read_content
from console.security_headers import SecurityHeaders
from console.sign_in.gate import SignInGate
from console.sign_in.links import OneTimeLinks
from console.sign_in.people import Identities
from console.sign_in.renewal import Renewals
from console.sign_in.sealing import Sealer
from console.sign_in.sessions import Sessions
from console.sign_in.sign_in_pages import CALLBACK, SignIn, at_the_proxy
from console.updates import OverviewReader
from console.views.problem_words import MOST_FORM_BYTES
from gateway.middleware.layers import ErrorBoundary, RequestIds, RequestLog, RequestRecorder
from runtime.http_server.body import BodyBound
from runtime.settings import ConsoleProcessSettings, ConsoleSettings


def utc_now() -> datetime:
    """Return the time as an aware datetime."""
    return datetime.now(UTC)


def create_app(
    settings: ConsoleProcessSettings,
    api: Api,
    recorder: RequestRecorder,
    *,
    now: Callable[[], datetime] = utc_now,
    content: PageContent | None = None,
) -> Starlette:
    """Return the application. It has no lifespan: the composition root opens and closes `api`.

    `content` are the static files and the templates. Tests share them, because reading and compiling takes 200 ms.
    """
    own = settings.console
    content = content or read_content()
    public_url = own.public_url or ""
    identities = Identities(api)
    sealer = None if own.cookie_key_file is None else Sealer(own.cookie_key_file)
    sessions = None if sealer is None else Sessions(sealer, own)
    flow = None if sealer is None else open_flow(own)
    on_exception = {HTTPException: on_http_exception}
    app = Starlette(
        routes=[
            Route("/static/{digest}/{name:path}", content.assets.serve),
            *page_routes(),
            *_sign_in_routes(own, identities, sealer, sessions, flow),
        ],
        middleware=[
            Middleware(RequestIds, begin_exchange),
            Middleware(RequestLog, recorder),
            Middleware(SecurityHeaders, encrypted=public_url.startswith("https://")),
            Middleware(ErrorBoundary, failure_page),
            Middleware(ExceptionMiddleware, handlers=on_exception),
            Middleware(CrossSiteCheck, origin=public_url),
            Middleware(BodyBound, max_bytes=MOST_FORM_BYTES, refuse=page_error),
            Middleware(
                SignInGate,
                identities,
                sessions,
                None if flow is None else Renewals(flow),
                trust_bearer=own.trust_bearer,
            ),
            Middleware(PagesInFlight, most=MAX_PAGES_PER_PERSON),
        ],
        exception_handlers=on_exception,
    )
    # A redirect would repeat the Host header, which a client chooses.
    app.router.redirect_slashes = False
    app.state.overview = OverviewReader()
    app.state.console = Console(api, own, settings.environment, content.templates, now)
    return app


def open_flow(settings: ConsoleSettings) -> CodeFlow | None:
    """Return the OIDC flow; None without an issuer."""
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        return None
    return CodeFlow(
        OidcClient(
            settings.oidc_issuer,
            settings.oidc_client_id,
            f"{settings.public_url}{CALLBACK}",
            settings.oidc_scope,
            settings.oidc_client_secret_file,
            settings.oidc_resource,
        )
    )


def _sign_in_routes(
    settings: ConsoleSettings,
    identities: Identities,
    sealer: Sealer | None,
    sessions: Sessions | None,
    flow: CodeFlow | None,
) -> Sequence[Route]:
    if sealer is None or sessions is None:
        return [Route("/sign-in", at_the_proxy)]
    links = None if settings.link_directory is None else OneTimeLinks(settings.link_directory)
    return SignIn(settings, identities, sealer, sessions, flow=flow, links=links).routes()


def page_routes() -> Sequence[Route]:
    """Return the routes of all modules of `console.pages`, in the order of their names."""
    routes: list[Route] = []
    for module in sorted(pkgutil.iter_modules(pages.__path__), key=lambda one: one.name):
        routes += importlib.import_module(f"{pages.__name__}.{module.name}").ROUTES
    return routes
