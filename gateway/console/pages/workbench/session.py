"""The way into the payer session. The link exists in one place: the Location of a 303 without a body.

    a plain form, target=_blank, rel=noopener ──▶ POST …/work/session ──▶ mint ──▶ 303, no-store, no-referrer, no body

htmx never touches the form. No page, fragment, cookie or log contains the link, and each link needs a click.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.api import api_path
from gateway.console.forms import read_form
from gateway.console.outcomes import ApiAnswer, ApiOutcome, ApiRefusal
from gateway.console.page import console_of, person_of, render
from gateway.console.pages.workbench.actions import handoff_of, key_of
from gateway.console.pages.workbench.confirmation import PATH
from gateway.console.pages.workbench.reading import Failure, authorization_of, named, new_key
from gateway.console.pages.workbench.show import status_of
from gateway.console.views.workbench.session_refused import SessionRefused, session_refused

_HEADERS: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
_TOO_OLD: Final = "grants_too_short"


async def enter(request: Request) -> Response:
    """POST …/work/session: redirect the browser into the session, or show why not."""
    authorization_id, form = authorization_of(request), await read_form(request)
    handoff_id, key = handoff_of(form), key_of(form)
    # The first click requires the claim check; the click below the sentence about it does not.
    options = {
        "takeOver": True if form.get("take_over") == "yes" else None,
        "claimCheck": None if form.get("take_over") == "yes" or form.get("unchecked") == "yes" else "required",
    }
    outcome = await _mint(request, authorization_id, handoff_id, key, options)
    if isinstance(outcome, ApiRefusal) and (outcome.members or {}).get("reason") == _TOO_OLD:
        # The link of this page's key has expired, and the API repeats it under this key. So this click needs a new key.
        outcome = await _mint(request, authorization_id, handoff_id, new_key(), options)
    if not isinstance(outcome, ApiAnswer):
        return _refused(request, session_refused(authorization_id, handoff_id, new_key(), outcome), outcome)
    link: str = outcome.body["url"]
    origin = _origin(link)
    if origin not in console_of(request).settings.session_origins:
        # The browser would silently ignore the button, because the page's `form-action` lacks the origin.
        return _refused(request, session_refused(authorization_id, handoff_id, new_key(), None, origin=origin))
    return Response(status_code=303, headers={"location": link, **_HEADERS})


async def _mint(
    request: Request, authorization_id: str, handoff_id: str, key: str, options: Mapping[str, object]
) -> ApiOutcome:
    person = person_of(request)
    body: dict[str, object] = {**named(person, "operator")}
    if person.is_named_by_token:  # a service claims nothing
        body |= {name: value for name, value in options.items() if value is not None}
    path = api_path("v1", "authorizations", authorization_id, "handoffs", handoff_id, "access-grants")
    return await console_of(request).api.post(person, path, body, idempotency_key=key)


def _refused(request: Request, view: SessionRefused, failure: Failure | None = None) -> Response:
    status = 500 if failure is None else status_of(failure)
    return render(request, "workbench/session_refused.html", view, status, opens_sessions=True)


def _origin(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


ROUTES = [Route(f"{PATH}/session", enter, methods=["POST"])]
