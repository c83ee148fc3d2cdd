"""The way into the payer session. The link exists in one place: the Location of a 303 without a body.

    a plain form, target=_blank, rel=noopener ──▶ POST …/work/session ──▶ mint ──▶ 303, no-store, no-referrer, no body

htmx never touches the form. No page, fragment, cookie or log contains the link, and each link needs a click.
"""

from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.api import Answer, Failure, GatewayProblem, models, operations
from console.forms import read_form
from console.page import console_of, person_of, render
from console.pages.workbench.actions import id_of, key_of
from console.pages.workbench.confirmation import PATH
from console.pages.workbench.reading import authorization_of, new_key
from console.sign_in.step_up import sign_in_address
from console.updates import status_of
from console.views.workbench.session_refused import SessionRefused

_HEADERS: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
_TOO_OLD: Final = "grants_too_short"


async def enter(request: Request) -> Response:
    """POST …/work/session: redirect the browser into the session, or show why not."""
    authorization_id, form = authorization_of(request), await read_form(request)
    handoff_id, key = id_of(form, "handoff"), key_of(form)
    api, person = console_of(request).api, person_of(request)
    body: models.AccessGrantBody = {"operator": person.name_for_api}
    takes_over = form.get("take_over") == "yes"
    if person.is_named_by_token and takes_over:  # a service claims nothing
        body["takeOver"] = True
    elif person.is_named_by_token and form.get("unchecked") != "yes":
        # The first click requires the claim check; the click below the sentence about it does not.
        body["claimCheck"] = "required"
    mint = partial(operations.create_access_grant, authorization_id, handoff_id, body)
    outcome = await api.send(person, mint(key))
    if isinstance(outcome, GatewayProblem) and outcome.reason == _TOO_OLD:
        # The link of this page's key has expired, and the API repeats it under this key. So this click needs a new key.
        outcome = await api.send(person, mint(new_key()))
    # The form stays in the tab of the workbench. A form may not lead to the issuer (CSP), so the person clicks a link.
    if (address := sign_in_address(request, outcome, f"/authorizations/{authorization_id}/work")) is not None:
        return render(request, "workbench/step_up.html", address, 401)
    if not isinstance(outcome, Answer):
        return _refused(request, SessionRefused(authorization_id, handoff_id, new_key(), outcome), outcome)
    link = outcome.body["url"]
    origin = _origin(link)
    if origin not in console_of(request).settings.session_origins:
        # The browser would silently ignore the button, because the page's `form-action` lacks the origin.
        return _refused(request, SessionRefused(authorization_id, handoff_id, new_key(), origin=origin))
    return Response(status_code=303, headers={"location": link, **_HEADERS})


def _refused(request: Request, view: SessionRefused, failure: Failure | None = None) -> Response:
    status = 500 if failure is None else status_of(failure)
    return render(request, "workbench/session_refused.html", view, status, opens_sessions=True)


def _origin(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.scheme}://{parts.netloc.lower()}"


ROUTES = [Route(f"{PATH}/session", enter, methods=["POST"])]
