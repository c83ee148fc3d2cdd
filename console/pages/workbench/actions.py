"""The forms of the workbench that send a command: open, report, watch; and giving a handoff back.

The Idempotency-Key of a command is the key of its page with the name of its form, so a second click, Back and a resend
are the same command. A page that keeps its key after an unknown result may show another form or a newer review: that is
another command.

If the API rejects a form, the page shows it again with the typed values. Else the browser gets 303 to the workbench.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.api import Answer, Failure, GatewayProblem, Outcome, models, operations
from console.errors import PageError
from console.forms import Form, read_form
from console.page import console_of, person_of
from console.pages.workbench.confirmation import (
    PATH,
    Sent,
    confirmation_of_command,
    confirmation_of_release,
    confirmed,
)
from console.pages.workbench.reading import authorization_of, new_key, read_workbench
from console.pages.workbench.show import page_response
from console.updates import status_of
from console.views.workbench.report import RefusedPart, TypedReport, close_result, typed_report
from schemas.fields.scalars import is_id

WAIT_SECONDS: Final = 3
"""Shorter than the bound of an API call, so that a slow command is a 202 and not an unknown result."""


async def open_handoff(request: Request) -> Response:
    """POST …/work/open: accept the snapshot that the page showed, and request the handoff."""
    authorization_id, person, form = authorization_of(request), person_of(request), await read_form(request)
    key, snapshot = key_of(form), id_of(form, "snapshot") if form.get("snapshot") else ""
    if snapshot and form.get("accept") != "yes":
        return await _again(request, key, missing="accept")
    body: models.HandoffRequest = {"requestedBy": person.name_for_api}
    if snapshot:
        body |= {"acceptedReviewSnapshotId": snapshot, "acceptedBy": person.name_for_api}
    call = operations.request_handoff(authorization_id, body, f"{key}.open.{snapshot}")
    return await _answered(request, await console_of(request).api.send(person, call, wait=WAIT_SECONDS), key)


async def report(request: Request) -> Response:
    """POST …/work/report: close the handoff with what happened."""
    authorization_id, person, form = authorization_of(request), person_of(request), await read_form(request)
    key, typed = key_of(form), typed_report(form)
    result = close_result(typed)
    if isinstance(result, RefusedPart):
        return await _again(
            request, key, missing=f"other_{result.field}" if result.contradicts else result.field, report=typed
        )
    handoff_id = id_of(form, "handoff")
    body: models.HandoffCloseBody = {"result": result, "reportedBy": person.name_for_api}
    if typed.takes_over and person.is_named_by_token:  # a service claims nothing
        body["takeOver"] = True
    call = operations.close_handoff(authorization_id, handoff_id, body, f"{key}.report")
    outcome = await console_of(request).api.send(person, call, wait=WAIT_SECONDS)
    return await _answered(request, outcome, key, typed, handoff_id=handoff_id)


async def watch(request: Request) -> Response:
    """POST …/work/watch: let the gateway watch the authorization."""
    authorization_id, form = authorization_of(request), await read_form(request)
    key = key_of(form)
    call = operations.watch_authorization(authorization_id, key=f"{key}.watch")
    outcome = await console_of(request).api.send(person_of(request), call, wait=WAIT_SECONDS)
    return await _answered(request, outcome, key)


async def message(request: Request) -> Response:
    """POST …/work/message: show Collate's message. The report on the page comes along, so what was typed stays."""
    form = await read_form(request)
    page = await read_workbench(request, with_content=True, key=key_of(form), report=typed_report(form))
    return page_response(request, page)


async def release(request: Request) -> Response:
    """POST …/work/release: give the handoff back."""
    authorization_id, form = authorization_of(request), await read_form(request)
    handoff_id = id_of(form, "handoff")
    call = operations.release_handoff(authorization_id, handoff_id)
    outcome = await console_of(request).api.send(person_of(request), call)
    if not isinstance(outcome, Answer):
        return await _again(request, new_key(), problem=outcome)
    return confirmed(request, authorization_id, confirmation_of_release(handoff_id, console_of(request).now()))


def key_of(form: Form) -> str:
    """Return the key of a form's page. Raises PageError."""
    key = form.get("key", "")
    if not 1 <= len(key) <= 64 or not key.isascii() or not key.isprintable():
        raise PageError(400, "The form is not complete", "Load the page again and fill in the form again.")
    return key


def id_of(form: Form, name: str) -> str:
    """Return the id in a field of a form. Raises PageError."""
    if not is_id(value := form.get(name, "")):
        raise PageError(400, "The form is not complete", "Load the page again and fill in the form again.")
    return value


async def _answered(
    request: Request,
    outcome: Outcome[Sent],
    key: str,
    typed: TypedReport | None = None,
    *,
    handoff_id: str | None = None,
) -> Response:
    """Confirm the accepted command before anything is read, or show the form again."""
    if not isinstance(outcome, Answer):
        return await _again(request, key, problem=outcome, report=typed)
    confirmation = confirmation_of_command(outcome.body, console_of(request).now(), handoff_id)
    return confirmed(request, authorization_of(request), confirmation)


async def _again(
    request: Request, key: str, *, problem: Failure | None = None, missing: str = "", report: TypedReport | None = None
) -> Response:
    """Return the page with the form as it was sent.

    The API stores a key with its body, so a corrected form needs a new key. If the result is unknown, the key stays the
    same: the person may submit the same form again.
    """
    is_refused = missing or (isinstance(problem, GatewayProblem) and problem.status < 500)
    page = await read_workbench(
        request,
        with_content=True,
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
    Route(f"{PATH}/message", message, methods=["POST"]),
    Route(f"{PATH}/release", release, methods=["POST"]),
]
