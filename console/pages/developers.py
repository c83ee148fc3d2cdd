"""`/developers`: who you are, and the OpenAPI and AsyncAPI documents as the API serves them."""

import json
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.api import Answer, Failure, GatewayProblem, body_of, failure_of, models, operations
from console.errors import PageError
from console.page import console_of, person_of, render

_DOCUMENTS: Final = {"openapi.json": operations.open_api(), "asyncapi.json": operations.async_api()}


@dataclass(frozen=True, slots=True)
class DevelopersPage:
    """The page: who the person is, or why that is not known."""

    me: models.Me | None
    problem: Failure | None


async def developers(request: Request) -> Response:
    """GET /developers."""
    me = await console_of(request).api.send(person_of(request), operations.read_me())
    page = DevelopersPage(body_of(me), failure_of(me))
    return render(request, "developers.html", page)


async def document(request: Request) -> Response:
    """GET /developers/openapi.json and /developers/asyncapi.json."""
    name = request.url.path.rpartition("/")[2]
    outcome = await console_of(request).api.send(person_of(request), _DOCUMENTS[name])
    match outcome:
        case Answer(body=body):
            return Response(json.dumps(body), media_type="application/json")
        case GatewayProblem(title=title, detail=detail):
            raise PageError(502, title, detail)
        case _:
            raise PageError(502, "The gateway does not answer", "Its documents are not available now. Try again.")


ROUTES: Final = [
    Route("/developers", developers),
    Route("/developers/openapi.json", document),
    Route("/developers/asyncapi.json", document),
]
