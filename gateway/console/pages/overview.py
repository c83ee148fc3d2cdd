"""`/`: what is stuck, and why."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.outcomes import ApiAnswer, ApiNotReached, ApiRefusal
from gateway.console.page import console_of, person_of
from gateway.console.updates import respond
from gateway.console.views.overview import PEOPLE_READ, OverviewView, overview_of


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The overview, or why there is none."""

    overview: OverviewView | None
    problem: ApiRefusal | ApiNotReached | None = None


async def overview(request: Request) -> Response:
    """GET /."""
    api, person = console_of(request).api, person_of(request)
    answer, work = await asyncio.gather(
        api.get(person, "/v1/overview", {"history": "1h"}),
        api.get(person, "/v1/authorizations", {"needs": "person", "limit": str(PEOPLE_READ)}),
    )
    if isinstance(answer, ApiAnswer):
        page = OverviewPage(overview_of(answer.body, work.body if isinstance(work, ApiAnswer) else None))
    else:
        page = OverviewPage(None, answer)
    return respond(request, "overview.html", "overview_part.html", page, outcome=answer)


ROUTES: Final = [Route("/", overview)]
