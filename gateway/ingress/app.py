"""The Starlette application of the ingress: its routes, its middleware and its exception handlers."""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.oidc.tokens import Tokens
from gateway.ingress.auth.authentication import Authentication
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.commands.operator_decisions import OperatorDecisions
from gateway.ingress.commands.routes import Commands
from gateway.ingress.dead_letters.bulk import BulkDecisions
from gateway.ingress.dead_letters.routes import DeadLetters
from gateway.ingress.documents import document
from gateway.ingress.event_stream.routes import EventStreams
from gateway.ingress.http.body import BodyLimit, UnfinishedBodies
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
from gateway.ingress.http.route_table import PathRoute, RouteTable
from gateway.ingress.live.routes import LiveCalls
from gateway.ingress.me import WhoAmI
from gateway.ingress.tracing import RequestSpans
from runtime.metrics import IngressMetrics
from runtime.settings import IngressSettings
from runtime.tracing.traces import Traces

if TYPE_CHECKING:
    from gateway.ingress.lists import Lists
    from gateway.ingress.no_reads import NoReads
    from gateway.ingress.reads import Reads


class _Application(Starlette):
    """A Starlette application with our middleware alone, which covers what Starlette's own two classes do."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:  # type: ignore[override]
        """Serve one request."""
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        return self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Return the application within its middleware."""
        app: ASGIApp = self.router.app  # not `__call__`, which would only call it
        for wrap, args, kwargs in reversed(self.user_middleware):
            app = wrap(app, *args, **kwargs)
        return app


def create_app(routes: Sequence[PathRoute], middleware: Sequence[Middleware]) -> Starlette:
    """Return the application. It has no lifespan: docs/decisions/0008-http-layer.md gives the reason."""
    app = _Application(middleware=middleware)
    app.router = RouteTable(routes)
    return app


def middleware(
    settings: IngressSettings,
    *,
    metrics: IngressMetrics,
    recorder: RequestRecorder,
    deadlines: Deadlines,
    bodies: UnfinishedBodies,
    callers: CallersFile,
    tokens: Tokens,
    traces: Traces | None,
) -> Sequence[Middleware]:
    """Return the middleware, outermost first."""
    return [
        *([] if traces is None else [Middleware(RequestSpans, traces)]),
        Middleware(RequestIds),
        Middleware(RequestLog, recorder),
        Middleware(InFlightLimit, metrics, bodies, max_in_flight=settings.max_requests_in_flight),
        Middleware(ErrorBoundary),
        Middleware(RequestDeadline, deadlines, seconds=settings.body_timeout.total_seconds()),
        Middleware(StrictHeaders),
        Middleware(
            BodyLimit, bodies, max_bytes=settings.max_body, seconds=settings.publish_deadline.total_seconds() * 2
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
    lists: "Lists | NoReads",
    bulk: BulkDecisions,
    decisions: OperatorDecisions,
    who_am_i: WhoAmI,
) -> Sequence[PathRoute]:
    """Return the routes."""
    authorization, dead_letter = "/v1/authorizations/{authorizationId}", "/v1/dead-letters/{commandId}"
    return [
        PathRoute("/v1/commands", commands.cloudevent, methods=["POST"]),
        PathRoute(f"{authorization}/handoffs", commands.request, methods=["POST"]),
        PathRoute(f"{authorization}/handoffs/{{handoffId}}/close", commands.close, methods=["POST"]),
        PathRoute(f"{authorization}/watch", commands.watch, methods=["POST"]),
        PathRoute(f"{authorization}/recent-commands/empty", decisions.empty_recent_commands, methods=["POST"]),
        PathRoute(f"{authorization}/version-floor/lower", decisions.lower_version_floor, methods=["POST"]),
        PathRoute("/v1/commands", lists.commands, methods=["GET"]),
        PathRoute(f"{authorization}/handoffs/{{handoffId}}", live.handoff),
        PathRoute(f"{authorization}/handoffs/{{handoffId}}/access-grants", live.grant, methods=["POST"]),
        PathRoute(f"{authorization}/handoffs/{{handoffId}}/release", live.release, methods=["POST"]),
        PathRoute(f"{authorization}/review-snapshot", live.review),
        PathRoute(f"{authorization}/payer-evidence", live.evidence),
        PathRoute("/v1/events", streams.events),
        PathRoute("/v1/commands/{commandId}", reads.command),
        PathRoute("/v1/authorizations", lists.authorizations),
        PathRoute(authorization, reads.authorization),
        PathRoute(f"{authorization}/timeline", reads.timeline),
        PathRoute("/v1/handoffs", reads.handoffs),
        PathRoute("/v1/overview", reads.overview),
        PathRoute("/v1/dead-letters", dead_letters.list_page),
        PathRoute("/v1/dead-letters/decisions", bulk.decide, methods=["POST"]),
        PathRoute(dead_letter, dead_letters.show),
        PathRoute(f"{dead_letter}/original", dead_letters.original),
        PathRoute(f"{dead_letter}/situation", dead_letters.situation),
        PathRoute(f"{dead_letter}/redrive", dead_letters.redrive, methods=["POST"]),
        PathRoute(f"{dead_letter}/discard", dead_letters.discard, methods=["POST"]),
        PathRoute("/v1/me", who_am_i.me),
        PathRoute("/openapi.json", document("openapi.json")),
        PathRoute("/asyncapi.json", document("asyncapi.json")),
    ]
