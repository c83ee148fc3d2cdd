"""The API's port: how it differs from the console's and the admin port."""

from starlette.types import Scope

from gateway.ingress.http.context import context_of
from gateway.ingress.http.middleware import RequestRecorder
from gateway.ingress.http.responses import SECURITY_HEADERS
from runtime.http.connections import Connections
from runtime.http.port import Port


def api_port(connections: Connections, recorder: RequestRecorder) -> Port:
    """Return the API's port."""
    return Port(
        connections, response_lines=SECURITY_HEADERS, is_known=_has_caller, on_rejected=recorder.record_rejected
    )


def _has_caller(scope: Scope) -> bool:
    return context_of(scope).caller is not None
