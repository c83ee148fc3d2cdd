"""The differences between the ports of the gateway: bounds, header lines of every response, the form of a problem."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.types import Scope

from runtime.http_server.connections import Connections
from runtime.http_server.problem import Problem


@dataclass(frozen=True, slots=True)
class Rejection:
    """A problem in the form of a port: the headers and the body of its response."""

    headers: Mapping[str, str]
    body: bytes


def problem_details(problem: Problem, request_id: str) -> Rejection:
    """Render a problem as RFC 9457 wants it."""
    return Rejection(problem.headers(), problem.body(request_id))


def _ignore(_problem: Problem, _request_id: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Port:
    """One port.

    Attributes:
        response_lines: Header lines that the server adds to every response, each with its line end.
        rejection: Renders the response to a request that never reached the application.
        is_known: Return whether a request carried a valid credential.
        on_rejected: Called for a request that was rejected before it existed.
    """

    connections: Connections
    response_lines: bytes = b""
    rejection: Callable[[Problem, str], Rejection] = problem_details
    is_known: Callable[[Scope], bool] = lambda _: False
    on_rejected: Callable[[Problem, str], None] = _ignore

    def reject(self, problem: Problem, request_id: str) -> bytes:
        """Return the response to a request that never existed, after its status line. The connection ends with it."""
        rejection = self.rejection(problem, request_id)
        own = {"content-length": str(len(rejection.body)), "connection": "close", "x-request-id": request_id}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**rejection.headers, **own}.items())
        return b"".join((lines.encode("latin-1"), self.response_lines, b"\r\n", rejection.body))
