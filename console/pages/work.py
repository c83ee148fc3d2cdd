"""`/work`: who waits for a person."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.api import Answer, Failure, GatewayProblem, Outcome, failure_of, models, operations
from console.errors import PageError
from console.page import address, console_of, is_fragment, person_of
from console.updates import (
    etag_of,
    etag_with,
    read_changed,
    read_overview,
    respond,
    status_of,
    unchanged,
)
from console.views.freshness import Freshness
from console.views.lists.work_list import (
    ROWS,
    Tab,
    WorkFilter,
    WorkView,
    authorizations_call,
    authorizations_view,
    closed_call,
    columns_of,
    counts_of,
    filter_of,
    since_of,
    troubles_call,
    turned_away,
)
from schemas.api.queries import METADATA
from schemas.fields.scalars import is_id


@dataclass(frozen=True, slots=True)
class WorkPage:
    """A page of the list, or why there is none. The addresses are of this page, the first one and the next one.

    `since` is the beginning of the days of the tab `closed`.
    """

    filter: WorkFilter
    since: str
    freshness: Freshness
    here: str
    first: str | None = None
    next: str | None = None
    rows_per_page: int = ROWS
    counts: Mapping[str, int] = field(default_factory=dict)
    claims: Sequence[models.Claimant] = ()
    own: Sequence[models.Trouble] | None = ()
    turned_away: Sequence[models.TurnedAway] = ()
    work: WorkView | None = None
    problem: Failure | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkFirst:
    """The part above the list: the payers that turn people away, and the person's own handoffs in trouble."""

    turned_away: tuple[models.TurnedAway, ...]
    own: tuple[models.Trouble, ...] | None


async def work(request: Request) -> Response:
    """GET /work?tab=&order=."""
    person, now = person_of(request), console_of(request).now()
    overview = await read_overview(request)
    counts = request.state.counts = counts_of(overview, person.name)
    filter_ = filter_of(request.query_params)
    (outcome, list_, freshness), own = await asyncio.gather(
        _list(request, filter_), _own(request, is_shown=not is_fragment(request))
    )
    if outcome is None:
        return unchanged(request)
    page = WorkPage(
        filter_,
        since_of(filter_, now),
        freshness,
        address_of(filter_, filter_.cursor),
        first=address_of(filter_, None) if filter_.cursor else None,
        next=address_of(filter_, list_.next) if list_ is not None and list_.next else None,
        counts=counts,
        claims=[] if overview is None else overview["work"]["claims"],
        own=own,
        turned_away=turned_away(overview),
        work=list_,
        problem=failure_of(outcome),
        columns=columns_of(console_of(request).settings, filter_, list_),
    )
    etag = etag_with(outcome, freshness)
    return respond(request, "work.html", "work_part.html", page, status_of(outcome), etag=etag)


async def own(request: Request) -> Response:
    """GET /work/own: the part above the list."""
    page = WorkFirst(turned_away(await read_overview(request)), await _own(request))
    return respond(request, "work_own.html", "work_own.html", page, etag=etag_of(page))


async def _list(request: Request, filter_: WorkFilter) -> tuple[Outcome[object] | None, WorkView | None, Freshness]:
    """Read the page of the list. Return the outcome, the view of an answer, and how far the read model is."""
    person, now = person_of(request), console_of(request).now()
    view = None
    if filter_.tab is Tab.CLOSED:
        closed, freshness = await read_changed(request, closed_call(filter_, now))
        if isinstance(closed, Answer):
            view = WorkView((), tuple(closed.body["handoffs"]), closed.body.get("next"))
        return closed, view, freshness
    call = authorizations_call(filter_, await _caller(request) if filter_.tab is Tab.MINE else "")
    items, freshness = await read_changed(request, call)
    if isinstance(items, Answer):
        view = authorizations_view(items.body, person.name, now)
    return items, view, freshness


async def _own(request: Request, *, is_shown: bool = True) -> tuple[models.Trouble, ...] | None:
    """Return the person's own handoffs in trouble; None if they cannot be read now."""
    api, person, now = console_of(request).api, person_of(request), console_of(request).now()
    if not (is_shown and person.may("authorization:read")):
        return ()
    outcome = await api.send(person, troubles_call(person.name_for_api, now))
    if isinstance(outcome, Answer):
        return tuple(outcome.body["troubles"])
    # Without a read model the list itself says so.
    return () if isinstance(outcome, GatewayProblem) and outcome.slug in {"no-read-model", "not-permitted"} else None


async def _caller(request: Request) -> str:
    """Return the person's name as a caller."""
    person = person_of(request)
    identity = await console_of(request).api.send(person, operations.read_me())
    return identity.body["caller"] if isinstance(identity, Answer) else person.name


def address_of(filter_: WorkFilter, cursor: str | None) -> str:
    """Return the address of a page of the list."""
    values = {
        "tab": None if filter_.tab is Tab.TO_DO else filter_.tab.value,
        "payer": filter_.payer,
        "claimedBy": filter_.claimed_by,
        **{f"{METADATA}{key}": value for key, value in filter_.metadata.items()},
        "days": "2" if filter_.days_back else None,
        "order": None if filter_.order == "urgent" else filter_.order,
        "cursor": cursor,
    }
    return address("/work", values)


async def open_by_id(request: Request) -> Response:
    """GET /work/open?authorization=…: to the workbench of an authorization whose id the person has."""
    authorization_id = request.query_params.get("authorization", "").strip()
    if not is_id(authorization_id):
        raise PageError(404, "There is no such authorization", "An id has letters, digits and . _ ~ - only.")
    return RedirectResponse(f"/authorizations/{authorization_id}/work", 303)


ROUTES: Final = [Route("/work", work), Route("/work/own", own), Route("/work/open", open_by_id)]
