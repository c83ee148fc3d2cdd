"""The application of the ingress: Starlette's router with our routes and middleware."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.routing import Router

from adapters.oidc.tokens import Tokens
from gateway.ingress.api_http.api_middleware import InFlightLimit, RequestDeadline, StrictHeaders
from gateway.ingress.api_http.body import BodyLimit, UnfinishedBodies
from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.deadlines import Deadlines
from gateway.ingress.api_http.responses import error_response
from gateway.ingress.api_http.routing import Endpoint, not_found, routes_of
from gateway.ingress.auth.authentication import Authentication
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.commands.command_routes import Commands
from gateway.ingress.commands.operator_decisions import OperatorDecisions
from gateway.ingress.dead_letters.bulk import BulkDecisions
from gateway.ingress.dead_letters.dead_letter_routes import DeadLetters
from gateway.ingress.documents import document
from gateway.ingress.event_stream.stream_route import EventStreams
from gateway.ingress.live.live_routes import LiveCalls
from gateway.ingress.me import WhoAmI
from gateway.ingress.tracing import RequestSpans
from gateway.middleware.layers import ErrorBoundary, RequestIds, RequestLog, RequestRecorder
from runtime.http_server.body import BODY_SECONDS
from runtime.metrics import IngressMetrics
from runtime.settings import IngressSettings
from runtime.tracing.traces import Traces

if TYPE_CHECKING:
    from gateway.ingress.lists import Lists
    from gateway.ingress.no_reads import NoReads
    from gateway.ingress.reads import Reads


def create_app(handlers: Mapping[str, Endpoint], middleware: Sequence[Middleware]) -> Router:
    """Return the application of the handlers, by operation id. Raises ValueError if one is missing or unknown.

    It has no lifespan: docs/decisions/0008-http-layer.md gives the reason. A redirect to a path with another slash
    would repeat the Host header, which the caller chooses.
    """
    return Router(routes_of(handlers), redirect_slashes=False, default=not_found, middleware=middleware)


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
        Middleware(ErrorBoundary, error_response),
        Middleware(RequestDeadline, deadlines, seconds=BODY_SECONDS),
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
        "listTroubles": lists.troubles,
        "findIds": lists.ids,
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
