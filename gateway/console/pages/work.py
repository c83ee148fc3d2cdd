"""`/work`: who waits for a person."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.console.errors import PageError
from gateway.console.outcomes import ApiAnswer, ApiNotReached, ApiRefusal
from gateway.console.page import console_of, person_of
from gateway.console.updates import read_changed, respond
from gateway.console.views.freshness import Freshness
from gateway.console.views.work_list import ROWS, Tab, WorkFilter, WorkView, filter_of, question_of, work_of
from schemas.fields.scalars import is_id


@dataclass(frozen=True, slots=True)
class WorkPage:
    """A page of the list, or why there is none. The addresses are of this page, the first one and the next one."""

    filter: WorkFilter
    freshness: Freshness
    here: str
    first: str | None = None
    next: str | None = None
    rows_per_page: int = ROWS
    work: WorkView | None = None
    problem: ApiRefusal | ApiNotReached | None = None


async def work(request: Request) -> Response:
    """GET /work?tab=todo|mine|open|closed|contradicted."""
    console, person, filter_ = console_of(request), person_of(request), filter_of(request.query_params)
    now, caller = console.now(), person.name
    if filter_.tab is Tab.MINE:
        identity = await console.api.get(person, "/v1/me")
        caller = identity.body["caller"] if isinstance(identity, ApiAnswer) else caller
    outcome, freshness = await read_changed(request, *question_of(filter_, caller, now))
    here = address_of(filter_, filter_.cursor)
    if not isinstance(outcome, ApiAnswer):
        page = WorkPage(filter_, freshness, here, problem=outcome)
    else:
        list_ = work_of(outcome.body or {}, filter_, person.name, now)
        page = WorkPage(
            filter_,
            freshness,
            here,
            first=address_of(filter_, None) if filter_.cursor else None,
            next=address_of(filter_, list_.next) if list_.next else None,
            work=list_,
        )
    return respond(request, "work.html", "work_part.html", page, outcome=outcome, freshness=freshness)


def address_of(filter_: WorkFilter, cursor: str | None) -> str:
    """Return the address of a page of the list."""
    query = {
        "tab": None if filter_.tab is Tab.TO_DO else filter_.tab.value,
        "payer": filter_.payer,
        "days": "2" if filter_.days_back else None,
        "cursor": cursor,
    }
    named = {name: value for name, value in query.items() if value}
    return f"/work?{urlencode(named)}" if named else "/work"


async def open_by_id(request: Request) -> Response:
    """GET /work/open?authorization=…: to the workbench of an authorization whose id the person has."""
    authorization_id = request.query_params.get("authorization", "").strip()
    if not is_id(authorization_id):
        raise PageError(404, "There is no such authorization", "An id has letters, digits and . _ ~ - only.")
    return RedirectResponse(f"/authorizations/{authorization_id}/work", 303)


ROUTES: Final = [Route("/work", work), Route("/work/open", open_by_id)]
