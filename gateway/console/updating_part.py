"""Pages with one part that updates, and whose data have no ETag: the part's ETag is a digest of its content.

A form's key and the time are not in the digest, so an update that shows nothing new is a 304.
"""

import hashlib
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.api import Failure, GatewayProblem
from gateway.console.page import console_of, is_fragment, render


def etag_of(*shown: Any) -> str:
    """Return the ETag of immutable values: frozen dataclasses, tuples, texts and numbers."""
    return f'"{hashlib.sha256(repr(shown).encode()).hexdigest()[:24]}"'


def status_of(failure: Failure | None) -> int:
    """Return the status of a page that could not read what it shows."""
    if failure is None:
        return 200
    return failure.status if isinstance(failure, GatewayProblem) else 503


def page_or_part(
    request: Request, template: str, part: str, view: Any, status: int = 200, *, etag: str | None = None
) -> Response:
    """Return the page, or for an update its part: 304 if the browser has it already.

    A part that could not be read is still a part, with status 200: the browser shows its problem.
    """
    if not is_fragment(request):
        return render(request, template, view, status)
    if etag is not None and request.headers.get("if-none-match") == etag:
        response = Response(status_code=304)
    else:
        response = render(request, part, view)
    response.headers["x-now"] = console_of(request).now().isoformat()
    if etag is not None:
        response.headers["etag"] = etag
    return response
