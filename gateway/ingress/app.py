"""The Starlette application of the ingress: its routes, its middleware and its exception handlers."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.oidc.tokens import Tokens
from gateway.http.middleware import ErrorBoundary, RequestIds, RequestLog, RequestRecorder
from gateway.ingress.auth.authentication import Authentication
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.commands.operator_decisions import OperatorDecisions
from gateway.ingress.commands.routes import Commands
from gateway.ingress.dead_letters.bulk import BulkDecisions
from gateway.ingress.dead_letters.routes import DeadLetters
from gateway.ingress.documents import document
from gateway.ingress.event_stream.routes import EventStreams
from gateway.ingress.http.body import BodyLimit, UnfinishedBodies
from gateway.ingress.http.context import RequestContext
from gateway.ingress.http.deadlines import Deadlines
from gateway.ingress.http.middleware import InFlightLimit, RequestDeadline, StrictHeaders
from gateway.ingress.http.responses import internal_error
from gateway.ingress.http.route_table import Endpoint, RouteTable, routes_of
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


def create_app(handlers: Mapping[str, Endpoint], middleware: Sequence[Middleware]) -> Starlette:
    """Return the application of the handlers, by operation id. Raises ValueError if one is missing or unknown.

    It has no lifespan: docs/decisions/0008-http-layer.md gives the reason.
    """
    app = _Application(middleware=middleware)
    app.router = RouteTable(routes_of(handlers))
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
        Middleware(RequestIds, RequestContext),
        *([] if traces is None else [Middleware(RequestSpans, traces)]),
        Middleware(RequestLog, recorder),
        Middleware(InFlightLimit, metrics, bodies, max_in_flight=settings.max_requests_in_flight),
        Middleware(ErrorBoundary, internal_error),
        Middleware(RequestDeadline, deadlines, seconds=settings.body_timeout.total_seconds()),
        Middleware(StrictHeaders),
        Middleware(
            BodyLimit, bodies, max_bytes=settings.max_body, seconds=settings.publish_deadline.total_seconds() * 2
        ),
        Middleware(Authentication, callers, tokens),
    ]


def handlers(
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
) -> Mapping[str, Endpoint]:
    """Return the handler of each operation, by its id."""
    return {
        "requestHandoff": commands.request,
        "closeHandoff": commands.close,
        "watchAuthorization": commands.watch,
        "sendCommand": commands.cloudevent,
        "listCommands": lists.commands,
        "readHandoff": live.handoff,
        "createAccessGrant": live.grant,
        "releaseHandoff": live.release,
        "readReviewSnapshot": live.review,
        "readPayerEvidence": live.evidence,
        "streamEvents": streams.events,
        "openApi": document("openapi.json"),
        "asyncApi": document("asyncapi.json"),
        "readCommand": reads.command,
        "readAuthorization": reads.authorization,
        "readTimeline": reads.timeline,
        "listHandoffs": reads.handoffs,
        "listAuthorizations": lists.authorizations,
        "readOverview": reads.overview,
        "emptyRecentCommands": decisions.empty_recent_commands,
        "lowerVersionFloor": decisions.lower_version_floor,
        "readMe": who_am_i.me,
        "listDeadLetters": dead_letters.list_page,
        "decideDeadLetters": bulk.decide,
        "readDeadLetter": dead_letters.show,
        "readDeadLetterOriginal": dead_letters.original,
        "readDeadLetterSituation": dead_letters.situation,
        "redriveDeadLetter": dead_letters.redrive,
        "discardDeadLetter": dead_letters.discard,
    }
