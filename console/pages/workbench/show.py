"""The workbench, its updating part, and the payer's evidence."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.api import Answer, operations
from console.page import console_of, is_fragment, person_of, render
from console.pages.workbench.confirmation import PATH
from console.pages.workbench.reading import (
    WorkbenchPage,
    authorization_of,
    read_workbench,
)
from console.sign_in.own_click import require_own_click
from console.sign_in.step_up import go_if_demanded
from console.updates import read_fault, respond, status_of
from console.views.workbench.evidence import shown_evidence
from console.views.workbench.step import TYPED

TEMPLATE = "workbench/work.html"
PART = "workbench/state_part.html"


async def show(request: Request) -> Response:
    """GET /authorizations/{id}/work. An update names the `mark` of the page that it is for."""
    is_update = is_fragment(request)
    seen = request.query_params.get("mark", "") if is_update else None
    page = await read_workbench(request, with_content=not is_update, seen=seen)
    if seen is None:
        return page_response(request, page)
    handoff = None if page.bench is None else page.bench.handoff
    request.state.holds_handoff = handoff is not None and handoff.is_worked_on
    if page.failure is not None:
        # The status lets the browser keep what it shows, with its time.
        return render(request, PART, page, status_of(page.failure))
    has_moved = page.bench is not None and page.bench.mark != seen
    is_next = has_moved and seen.partition(".")[0] not in TYPED
    page = replace(page, has_moved=has_moved, is_next=is_next)
    return respond(request, TEMPLATE, PART, page, etag=page.etag)


def page_response(request: Request, page: WorkbenchPage, status: int | None = None) -> Response:
    """Return the whole page."""
    return render(request, TEMPLATE, page, status or status_of(page.failure), opens_sessions=True)


async def evidence(request: Request) -> Response:
    """GET /authorizations/{id}/work/evidence: what the payer said. Each read is on record."""
    authorization_id, person = authorization_of(request), person_of(request)
    if not person.may("authorization:evidence"):
        return render(request, "workbench/evidence.html", (authorization_id, None, None), 403)
    require_own_click(request)
    await read_fault(request)
    call = operations.read_payer_evidence(authorization_id, {"operator": person.name_for_api})
    outcome = await console_of(request).api.send(person, call)
    go_if_demanded(request, outcome)
    if isinstance(outcome, Answer):
        shown = shown_evidence(outcome.body, outcome.content)
        return render(request, "workbench/evidence.html", (authorization_id, shown, None))
    return render(request, "workbench/evidence.html", (authorization_id, None, outcome), status_of(outcome))


ROUTES = [
    Route(PATH, show, methods=["GET"]),
    Route(f"{PATH}/evidence", evidence, methods=["GET"]),
]
