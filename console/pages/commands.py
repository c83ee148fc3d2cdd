"""`/commands`: the commands by filter; `/commands/{id}`: one command."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.api import Answer, Failure, body_of, failure_of, models, operations
from console.page import address, console_of
from console.updates import etag_with, read_changed, respond, status_of, unchanged
from console.views import guide
from console.views.freshness import Freshness
from console.views.lists.command_list import AGES, KINDS, ROWS, STATES, commands_call, filters_of
from console.views.words import reason_of


@dataclass(frozen=True, slots=True)
class CommandDetails:
    """One command, or why it cannot be shown. `anchor` is the section of the operations guide for its reason."""

    command_id: str
    freshness: Freshness
    here: str
    command: models.CommandStatus | None = None
    anchor: str | None = None
    problem: Failure | None = None


@dataclass(frozen=True, slots=True)
class CommandListPage:
    """A page of the list, or why there is none. The addresses are of this page, the first one and the next one."""

    filters: dict[str, str]
    freshness: Freshness
    here: str
    first: str | None = None
    next: str | None = None
    commands: tuple[models.CommandStatus, ...] = ()
    problem: Failure | None = None
    states: tuple[str, ...] = STATES
    kinds: tuple[str, ...] = KINDS
    ages: tuple[str, ...] = AGES
    rows_per_page: int = ROWS


async def commands(request: Request) -> Response:
    """GET /commands?status=&kind=&reason=&caller=&authorizationId=&metadata=&age=&order=."""
    filters, cursor = filters_of(request.query_params), request.query_params.get("cursor") or None
    outcome, freshness = await read_changed(request, commands_call(filters, cursor, console_of(request).now()))
    if outcome is None:
        return unchanged(request)
    body: models.CommandList = body_of(outcome) or {"commands": []}
    following = body.get("next")
    page = CommandListPage(
        filters,
        freshness,
        here=address("/commands", filters, {"cursor": cursor}),
        first=address("/commands", filters) if cursor else None,
        next=address("/commands", filters, {"cursor": following}) if following else None,
        commands=tuple(body["commands"]),
        problem=failure_of(outcome),
    )
    etag = etag_with(outcome, freshness)
    return respond(request, "commands.html", "commands_part.html", page, status_of(outcome), etag=etag)


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
    etag = etag_with(outcome, freshness)
    return respond(request, "command.html", "command_part.html", page, status_of(outcome), etag=etag)


ROUTES: Final = [Route("/commands", commands), Route("/commands/{id:uuid}", command)]
