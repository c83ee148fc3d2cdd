"""The pages of errors: a title, one sentence that says what to do, and the request's id."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.console.page import render


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What the page of an error shows."""

    title: str
    detail: str


_KNOWN: Final = {
    404: ErrorView("Page not found", "Check the address, or begin with the overview."),
    405: ErrorView("This address does not accept the request", "Go back and use the page's own links and buttons."),
    500: ErrorView("The page failed", "Load it again. If it fails again, report the request id to the operators."),
}


class PageError(HTTPException):
    """A page cannot be shown: the status, the title, and what the person can do."""

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.title = title


class SignInUnchecked(PageError):
    """Nobody can say now whether a person's sign-in is valid."""

    def __init__(self, advice: str) -> None:
        detail = f"The identity provider does not answer, so the gateway cannot check who you are. {advice}"
        super().__init__(503, "The sign-in cannot be checked now", detail, {"retry-after": "10"})


def error_page(request: Request, error: HTTPException) -> Response:
    """Return the page of an error."""
    if isinstance(error, PageError):
        view = ErrorView(error.title, error.detail)
    else:
        view = _KNOWN.get(error.status_code) or ErrorView(
            HTTPStatus(error.status_code).phrase, "Go back and try again."
        )
    response = render(request, "error.html", view, error.status_code)
    response.headers.update(error.headers or {})
    return response


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer an exception of the router or of a page."""
    if not isinstance(error, HTTPException):  # pragma: no cover - Starlette passes only these
        raise error
    return error_page(request, error)
