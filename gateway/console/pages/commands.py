"""`/commands/{id}`: one command."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.api import api_path
from gateway.console.outcomes import ApiAnswer, ApiNotReached, ApiRefusal
from gateway.console.updates import read_changed, respond
from gateway.console.views import guide
from gateway.console.views.commands import CommandView, command_of
from gateway.console.views.freshness import Freshness


@dataclass(frozen=True, slots=True)
class CommandDetails:
    """One command, or why it cannot be shown. `anchor` is the section of the operations guide for its reason."""

    command_id: str
    freshness: Freshness
    here: str
    command: CommandView | None = None
    anchor: str | None = None
    problem: ApiRefusal | ApiNotReached | None = None


async def command(request: Request) -> Response:
    """GET /commands/{id}."""
    id_ = str(request.path_params["id"])
    outcome, freshness = await read_changed(request, api_path("v1", "commands", id_))
    here = f"/commands/{id_}"
    if not isinstance(outcome, ApiAnswer):
        page = CommandDetails(id_, freshness, here, problem=outcome)
    elif outcome.status == 304:
        page = CommandDetails(id_, freshness, here)
    else:
        view = command_of(outcome.body)
        page = CommandDetails(id_, freshness, here, view, guide.anchor_of(view.reason))
    return respond(request, "command.html", "command_part.html", page, outcome=outcome, freshness=freshness)


ROUTES: Final = [Route("/commands/{id:uuid}", command)]
