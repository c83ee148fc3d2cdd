"""The API's port: how it differs from the console's and the admin port."""

from typing import Any

from starlette.types import Scope

from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.responses import SECURITY_HEADERS
from gateway.middleware.layers import RequestRecorder
from runtime.http_server.connections import Connections
from runtime.http_server.port import Port
from runtime.logs import line_writer
from runtime.metrics import IngressMetrics


def api_port(connections: Connections, recorder: RequestRecorder) -> Port:
    """Return the API's port."""
    return Port(
        connections, response_lines=SECURITY_HEADERS, is_known=_has_caller, on_rejected=recorder.record_rejected
    )


def request_recorder(metrics: IngressMetrics) -> RequestRecorder:
    """Return the recorder of the API's requests."""
    return RequestRecorder(
        line_writer("ingress.request_completed"), metrics.requests, metrics.request_seconds, _fields_of
    )


def _fields_of(scope: Scope) -> dict[str, Any]:
    context = context_of(scope)
    return {"caller": context.caller, **context.log_fields}


def _has_caller(scope: Scope) -> bool:
    return context_of(scope).caller is not None
