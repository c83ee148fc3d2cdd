"""Responses of our own: models and problems. Also the security headers of every response."""

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.ingress.api_http.api_problems import InternalError, Stopping
from gateway.ingress.api_http.context import context_of
from runtime.http_server.problem import MEDIA_TYPE, Problem
from runtime.logs import get_log

# The server adds these lines to the head of every response.
SECURITY_HEADERS = (
    b"cache-control: no-store\r\n"
    b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n"
    b"referrer-policy: no-referrer\r\n"
    b"strict-transport-security: max-age=63072000\r\n"
    b"x-content-type-options: nosniff\r\n"
)


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


def error_response(scope: Scope, error: Exception | asyncio.CancelledError) -> Response:
    """Return the response to a problem, to a stop, or to an unexpected exception, which is logged."""
    if isinstance(error, Problem):
        return ProblemResponse(error)
    if isinstance(error, asyncio.CancelledError):
        return ProblemResponse(
            Stopping(
                "This replica stopped before the request had ended. A read changed nothing; it is unknown whether "
                "another request did. Send the same request with the same key again: another replica will answer.",
                retry_after_seconds=1,
            )
        )
    get_log().error("ingress.request_failed", request_id=context_of(scope).request_id, exc_info=error)
    detail = "Send the request again. If it fails again, report the requestId to the operators."
    return ProblemResponse(InternalError(detail))
