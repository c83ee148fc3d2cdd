"""The read routes: commands, authorizations, timelines, handoffs and the overview, from the read model.

No other part of the ingress needs the database. While it is not available, these routes answer 503 immediately, and
commands are accepted as usual. A response has an ETag, and a client that sends it again gets 304 for the same body.
"""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from adapters.postgres.queries import (
    AuthorizationById,
    CommandById,
    CommandPosition,
    HandoffPage,
    TimelinePage,
)
from adapters.postgres.reader import ReadModelReader
from adapters.postgres.views.overview import overview, overview_with_history
from gateway.ingress.api_http.api_problems import NotFound, ReadModelUnavailable
from gateway.ingress.api_http.context import context_of
from gateway.ingress.api_http.query import read_after, read_query
from gateway.ingress.api_http.request import path_command_id, path_id
from gateway.ingress.auth.callers import Caller
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.own_parts import OwnParts
from gateway.ingress.read_model import fetch, respond, respond_json
from schemas.api.queries import CommandQuery, HandoffsQuery, OverviewQuery, Query, TimelineQuery
from schemas.api.reads import CommandStatus
from schemas.enums import PartFault
from schemas.events.wait_reasons import HoldReason
from schemas.permissions import Permission


class Reads:
    """The endpoints of the read routes."""

    def __init__(self, access: AccessControl, reader: ReadModelReader, parts: OwnParts) -> None:
        self._access = access
        self._reader = reader
        self._parts = parts

    async def command(self, request: Request) -> Response:
        """GET /v1/commands/{commandId}: a command of the caller; with `authorization:read` any command."""
        caller = self._access.admit(request)
        command_id = path_command_id(request)
        position = _position(read_query(request, CommandQuery).at)
        result = await fetch(request, self._reader, "command", CommandById(command_id, position))
        if result.status is not None and _may_read(caller, result.status):
            return respond(request, result.status)
        if result.is_awaited:
            return respond(request, CommandStatus(command_id=command_id, status="accepted"))
        # The same for another caller's command: the answer must not show that it exists.
        behind, ago_seconds = result.behind, round(max(0.0, result.ago_seconds), 1)
        late = f"{ago_seconds} s ago the projector had {behind} records still to read"
        raise NotFound(
            "Command not found: it does not exist, belongs to another caller, or has expired. Or it was just accepted: "
            f"{'the projector has not reported yet' if behind is None else late}.",
            members={} if behind is None else {"behind": behind, "agoSeconds": ago_seconds},
        )

    async def authorization(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}."""
        authorization_id = self._admit(request)
        read_query(request, Query)
        status = await fetch(request, self._reader, "authorization", AuthorizationById(authorization_id))
        if status is None:
            raise NotFound("The authorization is not watched. Send a watch command for it first.")
        return respond_json(request, status.encode())

    async def timeline(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/timeline."""
        authorization_id = self._admit(request)
        query = read_query(request, TimelineQuery)
        page = TimelinePage(authorization_id, query, read_after(query.cursor, datetime, int, int))
        return respond(request, await fetch(request, self._reader, "timeline", page))

    async def handoffs(self, request: Request) -> Response:
        """GET /v1/handoffs?state=active|closed: Those longest in this state come first."""
        self._access.admit(request)
        query = read_query(request, HandoffsQuery)
        page = HandoffPage(query, read_after(query.cursor, datetime, str, str))
        return respond(request, await fetch(request, self._reader, "handoffs", page))

    async def overview(self, request: Request) -> Response:
        """GET /v1/overview: rates, waiting commands by reason, the oldest commands, and the age of these data."""
        self._access.admit(request)
        history = read_query(request, OverviewQuery).history
        query = overview if history is None else overview_with_history
        faults, webhooks = await self._parts.look()
        try:
            found = await fetch(request, self._reader, "overview", query)
        except ReadModelUnavailable as problem:
            problem.members = {"faults": [*faults]}
            raise
        # The last reason of a worker that has ended says nothing about now.
        if HoldReason.BREAKER in found.waiting and PartFault.WORKER not in faults:
            faults = [fault for fault in PartFault if fault in {*faults, PartFault.COLLATE}]
        return respond(request, found.model_copy(update={"faults": faults, "webhooks": webhooks}))

    def _admit(self, request: Request) -> str:
        self._access.admit(request)
        authorization_id = path_id(request, "authorizationId")
        context_of(request.scope).log_fields["authorization_id"] = authorization_id
        return authorization_id


def _may_read(caller: Caller, status: CommandStatus) -> bool:
    return status.caller == caller.name or Permission.AUTHORIZATION_READ in caller.permissions


def _position(text: str | None) -> CommandPosition | None:
    return None if text is None else CommandPosition(*map(int, text.split("-")))
