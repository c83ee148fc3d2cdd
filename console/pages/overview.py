"""`/`: what is stuck, and why."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.api import Answer, Failure, operations
from console.page import console_of, person_of
from console.updates import respond, status_of
from console.views.freshness import Freshness, faults_of, freshness_of
from console.views.overview import OverviewView, overview_of


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The overview, or why there is none."""

    overview: OverviewView | None
    problem: Failure | None = None
    freshness: Freshness | None = None


async def overview(request: Request) -> Response:
    """GET /."""
    api, person = console_of(request).api, person_of(request)
    answer = await api.send(person, operations.read_overview({"history": "1h"}))
    if isinstance(answer, Answer):
        page = OverviewPage(overview_of(answer.body))
    else:
        page = OverviewPage(None, answer, freshness_of(None, faults_of(answer)))
    return respond(request, "overview.html", "overview_part.html", page, status_of(answer))


ROUTES: Final = [Route("/", overview)]
