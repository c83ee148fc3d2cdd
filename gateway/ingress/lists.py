"""The lists of the read model: authorizations that need work, and commands."""

from starlette.requests import Request
from starlette.responses import Response

from adapters.postgres.reader import ReadModelReader
from adapters.postgres.views.lists import COMMAND_STATUSES, AuthorizationPage, CommandPage
from gateway.ingress.auth.callers import Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.http.query import (
    read_after,
    read_limit,
    read_metadata,
    read_order,
    read_query,
    read_since,
    read_word,
)
from gateway.ingress.read_model import fetch, respond
from schemas.api.lists import Needs


class Lists:
    """The endpoints of the lists."""

    def __init__(self, access: AccessControl, reader: ReadModelReader) -> None:
        self._access = access
        self._reader = reader

    async def authorizations(self, request: Request) -> Response:
        """GET /v1/authorizations?needs=person|handoff|contradicted: the work list, the longest wait first."""
        self._access.admit(request, Permission.AUTHORIZATION_READ)
        names = ("needs", "payer", "claimedBy", "caller", "since", "before", "limit", "cursor")
        query = read_query(request, *names, metadata=True)
        page = AuthorizationPage(
            limit=read_limit(query),
            needs=Needs(read_word(query, "needs", tuple(Needs)) or Needs.PERSON),
            payer_id=query.get("payer"),
            claimed_by=query.get("claimedBy"),
            caller=query.get("caller"),
            metadata=read_metadata(query),
            since=read_since(query),
            before=read_since(query, "before"),
            after=read_after(query, str),
        )
        return respond(request, await fetch(request, self._reader, "authorizations", page))

    async def commands(self, request: Request) -> Response:
        """GET /v1/commands: commands by acceptance. Without `authorization:read` the caller's own."""
        caller = self._access.admit(request)
        query = read_query(
            request,
            *("authorizationId", "status", "reason", "caller", "order", "since", "before", "limit", "cursor"),
            metadata=True,
        )
        whose = query.get("caller")
        if Permission.AUTHORIZATION_READ not in caller.permissions:
            if whose not in {None, caller.name}:
                self._access.require(caller, Permission.AUTHORIZATION_READ)
            whose = caller.name
        page = CommandPage(
            limit=read_limit(query),
            order=read_order(query),
            authorization_id=query.get("authorizationId"),
            status=read_word(query, "status", COMMAND_STATUSES),
            reason=query.get("reason"),
            caller=whose,
            metadata=read_metadata(query),
            since=read_since(query),
            before=read_since(query, "before"),
            after=read_after(query, str),
        )
        return respond(request, await fetch(request, self._reader, "commands", page))
