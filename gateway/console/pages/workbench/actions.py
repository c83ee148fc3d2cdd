"""The forms of the workbench that send a command: open, report, watch; and giving a handoff back.

Each form has the Idempotency-Key of its page, so a second click, Back and a resend are the same command. If the API
rejects a form, the page shows it again with the typed values. Otherwise the browser gets 303 to the workbench.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.console.api import api_path
from gateway.console.errors import PageError
from gateway.console.forms import Form, read_form
from gateway.console.outcomes import ApiAnswer, ApiOutcome, ApiRefusal
from gateway.console.page import console_of, person_of
from gateway.console.pages.workbench.reading import Failure, authorization_of, named, new_key, read_workbench
from gateway.console.pages.workbench.show import PATH, page_response, status_of
from gateway.console.views.workbench.report import MissingPart, TypedReport, close_result, typed_report
from schemas.fields.scalars import is_id

WAIT: Final = {"Prefer": "wait=3"}
"""Shorter than the bound of an API call, so that a slow command is a 202 and not an unknown result."""

_LOOKS: Final = 8
_PAUSE_SECONDS: Final = 0.25


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
    path = api_path("v1", "authorizations", authorization_id, "handoffs", handoff_of(form), "close")
    body = {"result": result} | named(person, "reportedBy")
    outcome = await console_of(request).api.post(person, path, body, idempotency_key=key, headers=WAIT)
    return await _answered(request, outcome, key, typed)


async def watch(request: Request) -> Response:
    """POST …/work/watch: let the gateway watch the authorization."""
    authorization_id, form = authorization_of(request), await read_form(request)
    key = key_of(form)
    path = api_path("v1", "authorizations", authorization_id, "watch")
    outcome = await console_of(request).api.post(person_of(request), path, {}, idempotency_key=key, headers=WAIT)
    return await _answered(request, outcome, key)


async def release(request: Request) -> Response:
    """POST …/work/release: give the handoff back."""
    authorization_id, person, form = authorization_of(request), person_of(request), await read_form(request)
    api = console_of(request).api
    path = api_path("v1", "authorizations", authorization_id, "handoffs", handoff_of(form), "release")
    outcome = await api.post(person, path, {})
    if not isinstance(outcome, ApiAnswer):
        return await _again(request, new_key(), problem=outcome)
    record = api_path("v1", "authorizations", authorization_id)

    def is_free(found: Any) -> bool:
        claim: dict[str, str] = (found.get("activeHandoff") or {}).get("claim") or {}
        return claim.get("by") != person.name

    await _until(lambda: api.get(person, record), is_free)
    return see_other(PATH.format(authorization_id=authorization_id))


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


def see_other(address: str) -> RedirectResponse:
    """Return a 303 to a page of the console."""
    return RedirectResponse(address, 303)


async def _answered(request: Request, outcome: ApiOutcome, key: str, typed: TypedReport | None = None) -> Response:
    """Return to the workbench once the read model has the command, or show the form again."""
    if not isinstance(outcome, ApiAnswer):
        return await _again(request, key, problem=outcome, report=typed)
    command_id, api, person = outcome.body["commandId"], console_of(request).api, person_of(request)
    is_over = outcome.body["status"] in {"finished", "dead_lettered"}

    def is_known(found: Any) -> bool:
        return not is_over or found["status"] in {"finished", "dead_lettered"}

    await _until(lambda: api.get(person, api_path("v1", "commands", command_id)), is_known)
    path = PATH.format(authorization_id=authorization_of(request))
    return see_other(f"{path}?command={command_id}")


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


async def _until(read: Callable[[], Awaitable[ApiOutcome]], is_there: Callable[[Any], bool]) -> None:
    """Wait at most two seconds until the read model shows the action, so that the next page shows it."""
    for _ in range(_LOOKS):
        outcome = await read()
        if isinstance(outcome, ApiAnswer) and is_there(outcome.body):
            return
        if isinstance(outcome, ApiRefusal) and outcome.slug != "not-found":
            return
        await asyncio.sleep(_PAUSE_SECONDS)


ROUTES = [
    Route(f"{PATH}/open", open_handoff, methods=["POST"]),
    Route(f"{PATH}/report", report, methods=["POST"]),
    Route(f"{PATH}/watch", watch, methods=["POST"]),
    Route(f"{PATH}/release", release, methods=["POST"]),
]
