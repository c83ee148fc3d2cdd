"""Responses of our own: models and problems. Also the headers that every response has."""

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.ingress.http.context import context_of
from gateway.ingress.http.problem import MEDIA_TYPE, Problem
from gateway.ingress.http.problems import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from starlette.types import ExceptionHandler

RawHeaders = list[tuple[bytes, bytes]]
_JSON = (b"content-type", b"application/json")
_COMMON: RawHeaders = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=63072000"),
    (b"x-content-type-options", b"nosniff"),
]


def with_common_headers(headers: RawHeaders, request_id: str) -> RawHeaders:
    """Return the headers of a response plus the security headers and the request id."""
    return [*headers, *_COMMON, (b"x-request-id", request_id.encode())]


def rejection(problem: Problem, request_id: str) -> bytes:
    """Return the response to a request that never existed, after its status line. The connection ends with it."""
    body = problem.body(request_id)
    fields = problem.headers() | {"content-length": str(len(body)), "connection": "close"}
    raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    lines = [b"%s: %s\r\n" % header for header in with_common_headers(raw_headers, request_id)]
    return b"".join((*lines, b"\r\n", body))


class BytesResponse(Response):
    """JSON that is rendered already. `raw_headers` are the headers that do not describe the body."""

    def __init__(self, body: bytes, status_code: int = 200, raw_headers: RawHeaders | None = None) -> None:
        self.status_code = status_code
        self.background = None
        self.body = body
        self.raw_headers = [*(raw_headers or ()), _JSON, (b"content-length", b"%d" % len(body))]


class ModelResponse(JSONResponse):
    """A model as JSON. The models serialize themselves, so that a time or an absent field looks the same everywhere."""

    def render(self, content: Any) -> bytes:
        """Return the model's JSON."""
        body: bytes = content.to_json()
        return body


class ProblemResponse(Response):
    """A problem (RFC 9457). It is rendered when it is sent, because the body holds the request's id."""

    media_type = MEDIA_TYPE

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        super().__init__(status_code=problem.status)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Render and send the problem, and put its slug into the log line."""
        context = context_of(scope)
        context.log_fields["problem"] = self._problem.slug
        self.body = self._problem.body(context.request_id)
        self.init_headers(self._problem.headers())
        await super().__call__(scope, receive, send)


async def _respond_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for Problem
    return ProblemResponse(error)


async def _respond_not_found(_: Request, __: Exception) -> Response:
    return ProblemResponse(NotFound("Check the path. /openapi.json lists every path."))


async def _respond_method_not_allowed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for a status
    allow = (error.headers or {}).get("Allow", "")
    return ProblemResponse(MethodNotAllowed("Use one of the methods in the Allow header.", headers={"allow": allow}))


EXCEPTION_HANDLERS: "dict[Any, ExceptionHandler]" = {
    Problem: _respond_problem,
    404: _respond_not_found,
    405: _respond_method_not_allowed,
}
