"""`/commands/{id}`: one command."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.console.api import Answer, Failure, models, operations
from gateway.console.updates import read_changed, respond, unchanged
from gateway.console.views import guide
from gateway.console.views.freshness import Freshness
from gateway.console.views.words import reason_of


@dataclass(frozen=True, slots=True)
class CommandDetails:
    """One command, or why it cannot be shown. `anchor` is the section of the operations guide for its reason."""

    command_id: str
    freshness: Freshness
    here: str
    command: models.CommandStatus | None = None
    anchor: str | None = None
    problem: Failure | None = None


async def command(request: Request) -> Response:
    """GET /commands/{id}."""
    id_ = str(request.path_params["id"])
    outcome, freshness = await read_changed(request, operations.read_command(id_))
    here = f"/commands/{id_}"
    if outcome is None:
        return unchanged(request)
    if not isinstance(outcome, Answer):
        page = CommandDetails(id_, freshness, here, problem=outcome)
    else:
        page = CommandDetails(id_, freshness, here, outcome.body, guide.anchor_of(reason_of(outcome.body)))
    return respond(request, "command.html", "command_part.html", page, outcome=outcome, freshness=freshness)


ROUTES: Final = [Route("/commands/{id:uuid}", command)]
