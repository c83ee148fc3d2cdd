"""The Starlette application of the ingress: its routes, its middleware and its exception handlers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from adapters.oidc.tokens import Tokens
from gateway.ingress.auth.authentication import Authentication
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.commands.recent_commands import RecentCommands
from gateway.ingress.commands.routes import Commands
from gateway.ingress.dead_letters.routes import DeadLetters
from gateway.ingress.documents import document
from gateway.ingress.event_stream.routes import EventStreams
from gateway.ingress.http.body import BodyLimit, UnverifiedBodies
from gateway.ingress.http.deadlines import Deadlines
from gateway.ingress.http.middleware import (
    ErrorBoundary,
    InFlightLimit,
    RequestDeadline,
    RequestIds,
    RequestLog,
    RequestRecorder,
    StrictHeaders,
)
from gateway.ingress.http.responses import EXCEPTION_HANDLERS
from gateway.ingress.live.routes import LiveCalls
from gateway.ingress.tracing import RequestSpans
from runtime.metrics import IngressMetrics
from runtime.settings import IngressSettings
from runtime.traces import Traces

if TYPE_CHECKING:
    from gateway.ingress.no_reads import NoReads
    from gateway.ingress.reads import Reads


def create_app(routes: Sequence[Route], middleware: Sequence[Middleware]) -> Starlette:
    """Return the application. It has no lifespan: docs/decisions/0008-http-layer.md gives the reason."""
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=EXCEPTION_HANDLERS)
    # A redirect would repeat the Host header, which the caller chooses.
    app.router.redirect_slashes = False
    return app


def middleware(
    settings: IngressSettings,
    *,
    metrics: IngressMetrics,
    recorder: RequestRecorder,
    deadlines: Deadlines,
    callers: CallersFile,
    tokens: Tokens,
    traces: Traces | None,
) -> Sequence[Middleware]:
    """Return the middleware, outermost first."""
    unverified = UnverifiedBodies(deadlines, metrics, max_bodies=settings.max_unverified_bodies)
    return [
        *([] if traces is None else [Middleware(RequestSpans, traces)]),
        Middleware(RequestIds),
        Middleware(RequestLog, recorder),
        Middleware(InFlightLimit, metrics, max_in_flight=settings.max_requests_in_flight),
        Middleware(ErrorBoundary),
        Middleware(RequestDeadline, deadlines, seconds=settings.body_timeout.total_seconds()),
        Middleware(StrictHeaders),
        Middleware(
            BodyLimit, unverified, max_bytes=settings.max_body, seconds=settings.publish_deadline.total_seconds() * 2
        ),
        Middleware(Authentication, callers, tokens),
    ]


def routes(
    commands: Commands,
    live: LiveCalls,
    streams: EventStreams,
    reads: "Reads | NoReads",
    dead_letters: DeadLetters,
    *,
    recent_commands: RecentCommands,
) -> Sequence[Route]:
    """Return the routes."""
    authorization, dead_letter = "/v1/authorizations/{authorizationId}", "/v1/dead-letters/{commandId}"
    return [
        Route(f"{authorization}/handoffs", commands.request, methods=["POST"]),
        Route(f"{authorization}/handoffs/{{handoffId}}/close", commands.close, methods=["POST"]),
        Route(f"{authorization}/watch", commands.watch, methods=["POST"]),
        Route(f"{authorization}/recent-commands/empty", recent_commands.empty, methods=["POST"]),
        Route("/v1/commands", commands.cloudevent, methods=["POST"]),
        Route(f"{authorization}/handoffs/{{handoffId}}/access-grants", live.grant, methods=["POST"]),
        Route(f"{authorization}/review-snapshot", live.review),
        Route("/v1/events", streams.events),
        Route("/v1/commands/{commandId}", reads.command),
        Route(authorization, reads.authorization),
        Route(f"{authorization}/timeline", reads.timeline),
        Route("/v1/handoffs", reads.handoffs),
        Route("/v1/overview", reads.overview),
        Route("/v1/dead-letters", dead_letters.list_page),
        Route(dead_letter, dead_letters.show),
        Route(f"{dead_letter}/original", dead_letters.original),
        Route(f"{dead_letter}/situation", dead_letters.situation),
        Route(f"{dead_letter}/redrive", dead_letters.redrive, methods=["POST"]),
        Route(f"{dead_letter}/discard", dead_letters.discard, methods=["POST"]),
        Route("/openapi.json", document("openapi.json")),
        Route("/asyncapi.json", document("asyncapi.json")),
    ]
