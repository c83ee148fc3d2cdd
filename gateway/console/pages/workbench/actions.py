"""The forms of the workbench that send a command: open, report, watch; and giving a handoff back.

Each form has the Idempotency-Key of its page, so a second click, Back and a resend are the same command. If the API
rejects a form, the page shows it again with the typed values. Otherwise the browser gets 303 to the workbench.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.api import api_path
from gateway.console.errors import PageError
from gateway.console.forms import Form, read_form
from gateway.console.outcomes import ApiAnswer, ApiOutcome, ApiRefusal
from gateway.console.page import console_of, person_of
from gateway.console.pages.workbench.confirmation import PATH, confirmed
from gateway.console.pages.workbench.reading import Failure, authorization_of, named, new_key, read_workbench
from gateway.console.pages.workbench.show import page_response, status_of
from gateway.console.views.workbench.report import MissingPart, TypedReport, close_result, typed_report
from schemas.fields.scalars import is_id

WAIT: Final = {"Prefer": "wait=3"}
"""Shorter than the bound of an API call, so that a slow command is a 202 and not an unknown result."""


async def open_handoff(request: Request) -> Response:
    """POST …/work/open: accept the snapshot that the page showed, and request the handoff."""
    authorization_id, person, form = authorization_of(request), person_of(request), await read_form(request)
    key, snapshot = key_of(form), form.get("snapshot", "")
    body: dict[str, Any] = named(person, "requestedBy")
    if snapshot:
        if form.get("accept") != "yes":
            return await _again(request, key, missing="accept")
        body |= {"acceptedReviewSnapshotId": snapshot} | named(person, "acceptedBy")
    path = api_path("v1", "authorizations", authorization_id, "handoffs")
    outcome = await console_of(request).api.post(person, path, body, idempotency_key=key, headers=WAIT)
    return await _answered(request, outcome, key)


async def report(request: Request) -> Response:
    """POST …/work/report: close the handoff with what happened."""
    authorization_id, person, form = authorization_of(request), person_of(request), await read_form(request)
    key, typed = key_of(form), typed_report(form)
    result = close_result(typed)
    if isinstance(result, MissingPart):
        return await _again(request, key, missing=result.field, report=typed)
    handoff_id = handoff_of(form)
    path = api_path("v1", "authorizations", authorization_id, "handoffs", handoff_id, "close")
    body = {"result": result} | named(person, "reportedBy")
    outcome = await console_of(request).api.post(person, path, body, idempotency_key=key, headers=WAIT)
    return await _answered(request, outcome, key, typed, handoff_id=handoff_id)


async def watch(request: Request) -> Response:
    """POST …/work/watch: let the gateway watch the authorization."""
    authorization_id, form = authorization_of(request), await read_form(request)
    key = key_of(form)
    path = api_path("v1", "authorizations", authorization_id, "watch")
    outcome = await console_of(request).api.post(person_of(request), path, {}, idempotency_key=key, headers=WAIT)
    return await _answered(request, outcome, key)


async def release(request: Request) -> Response:
    """POST …/work/release: give the handoff back."""
    authorization_id, form = authorization_of(request), await read_form(request)
    handoff_id = handoff_of(form)
    path = api_path("v1", "authorizations", authorization_id, "handoffs", handoff_id, "release")
    outcome = await console_of(request).api.post(person_of(request), path, {})
    if not isinstance(outcome, ApiAnswer):
        return await _again(request, new_key(), problem=outcome)
    return confirmed(request, authorization_id, {"handoffId": handoff_id})


def key_of(form: Form) -> str:
    """Return the Idempotency-Key of a form. Raises PageError."""
    key = form.get("key", "")
    if not 1 <= len(key) <= 64 or not key.isascii() or not key.isprintable():
        raise PageError(400, "The form is not complete", "Load the page again and fill in the form again.")
    return key


def handoff_of(form: Form) -> str:
    """Return the handoff of a form. Raises PageError."""
    handoff_id = form.get("handoff", "")
    if not is_id(handoff_id):
        raise PageError(400, "The form is not complete", "Load the page again and fill in the form again.")
    return handoff_id


async def _answered(
    request: Request, outcome: ApiOutcome, key: str, typed: TypedReport | None = None, *, handoff_id: str | None = None
) -> Response:
    """Confirm the accepted command before anything is read, or show the form again."""
    if not isinstance(outcome, ApiAnswer):
        return await _again(request, key, problem=outcome, report=typed)
    return confirmed(request, authorization_of(request), outcome.body, handoff_id)


async def _again(
    request: Request, key: str, *, problem: Failure | None = None, missing: str = "", report: TypedReport | None = None
) -> Response:
    """Return the page with the form as it was sent.

    The API stores a key with its body, so a corrected form needs a new key. If the result is unknown, the key stays the
    same: the person may submit the same form again.
    """
    is_refused = missing or (isinstance(problem, ApiRefusal) and problem.status < 500)
    page = await read_workbench(
        request,
        with_snapshot=True,
        key=new_key() if is_refused else key,
        problem=problem,
        missing=missing,
        report=report,
    )
    return page_response(request, page, 422 if missing else status_of(problem))


ROUTES = [
    Route(f"{PATH}/open", open_handoff, methods=["POST"]),
    Route(f"{PATH}/report", report, methods=["POST"]),
    Route(f"{PATH}/watch", watch, methods=["POST"]),
    Route(f"{PATH}/release", release, methods=["POST"]),
]
