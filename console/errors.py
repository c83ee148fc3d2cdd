"""The pages of errors: a title, one sentence that says what to do, and the request's id."""

import asyncio
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from console.page import render
from console.views.problem_words import PROBLEMS, ProblemWords
from gateway.middleware.exchange import exchange_of
from runtime.http_server.port import Rejection
from runtime.http_server.problem import Problem
from runtime.logs import get_log

_KNOWN: Final = {
    404: ProblemWords("Page not found", "Check the address, or begin with the overview."),
    405: ProblemWords("This address does not accept the request", "Go back and use the page's own links and buttons."),
    500: ProblemWords("The page failed", "Load it again. If it fails again, report the request id to the operators."),
}


class PageError(HTTPException):
    """A page cannot be shown: the status, the title, and what the person can do."""

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.title = title
        self.address: str | None = None


class OpenedElsewhere(PageError):
    """A page puts a read on record, and the person may not have opened it."""

    def __init__(self, address: str) -> None:
        """`address` is that of the page."""
        super().__init__(
            403,
            "Do you want to open this page?",
            "It shows data of a patient, and the gateway records under your name that you read them. Another site, a "
            "message or the sign-in led here.",
        )
        self.address = address


class SignInUnchecked(PageError):
    """A person's sign-in cannot be checked, because the identity provider does not answer."""

    def __init__(self, advice: str) -> None:
        detail = f"The identity provider does not answer, so the gateway cannot check who you are. {advice}"
        super().__init__(503, "The sign-in cannot be checked now", detail, {"retry-after": "10"})


def page_error(problem: Problem) -> PageError:
    """Return a problem of the server as an error for a person."""
    words = PROBLEMS.get(problem.slug) or PROBLEMS["unreadable"]
    return PageError(problem.status, words.title, words.detail, {"connection": "close"} if problem.close else {})


def rejection_page(headers: Mapping[str, str], problem: Problem, request_id: str) -> Rejection:
    """Return the page for a request that never reached the application. No template: no request exists."""
    error = page_error(problem)
    text = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{error.title}</title>\n'
        f"<h1>{error.title}</h1>\n<p>{error.detail}</p>\n<p>Request id: {request_id}</p>\n</html>\n"
    )
    own = {"content-type": "text/html; charset=utf-8"}
    if problem.retry_after_seconds is not None:
        own["retry-after"] = str(math.ceil(problem.retry_after_seconds))
    return Rejection({**headers, **own}, text.encode())


def error_page(request: Request, error: HTTPException) -> Response:
    """Return the page of an error."""
    if isinstance(error, PageError):
        view = ProblemWords(error.title, error.detail, error.address)
    else:
        view = _KNOWN.get(error.status_code) or ProblemWords(
            HTTPStatus(error.status_code).phrase, "Go back and try again."
        )
    response = render(request, "error.html", view, error.status_code)
    response.headers.update(error.headers or {})
    return response


def failure_page(scope: Scope, error: Exception | asyncio.CancelledError) -> Response:
    """Log an unexpected exception and return its page, or return the page of a stop."""
    if isinstance(error, asyncio.CancelledError):
        words = PROBLEMS["stopping"]
        return error_page(Request(scope), PageError(503, words.title, words.detail, {"retry-after": "1"}))
    get_log().error("console.page_failed", request_id=exchange_of(scope).request_id, exc_info=error)
    return error_page(Request(scope), HTTPException(500))


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer an exception of the middleware, the router or a page."""
    if not isinstance(error, HTTPException):  # pragma: no cover - Starlette passes only these
        raise error
    return error_page(request, error)
