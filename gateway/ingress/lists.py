"""The lists of the read model: authorizations that need work, and commands."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from adapters.postgres.reader import ReadModelReader
from adapters.postgres.views.lists import CommandPage, IdsByPrefix, TroublesOf
from adapters.postgres.views.work import KEYS, AuthorizationPage
from gateway.ingress.api_http.query import read_after, read_query
from gateway.ingress.auth.names import required_operator
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.read_model import fetch, respond
from schemas.api.queries import AuthorizationsQuery, CommandsQuery, IdsQuery, TroublesQuery
from schemas.permissions import Permission


class Lists:
    """The endpoints of the lists."""

    def __init__(self, access: AccessControl, reader: ReadModelReader) -> None:
        self._access = access
        self._reader = reader

    async def authorizations(self, request: Request) -> Response:
        """GET /v1/authorizations: the work list."""
        self._access.admit(request)
        query = read_query(request, AuthorizationsQuery)
        page = AuthorizationPage(query, read_after(query.cursor, *KEYS[query.order].values()))
        return respond(request, await fetch(request, self._reader, "authorizations", page))

    async def troubles(self, request: Request) -> Response:
        """GET /v1/troubles: the handoffs of one person that need them first."""
        caller = self._access.admit(request)
        query = read_query(request, TroublesQuery)
        as_caller = None if caller.person is None else caller.name
        troubles = TroublesOf(required_operator(caller, query.operator), as_caller, query.since)
        return respond(request, await fetch(request, self._reader, "troubles", troubles))

    async def ids(self, request: Request) -> Response:
        """GET /v1/ids?prefix=: ids that begin with a text."""
        self._access.admit(request)
        prefix = read_query(request, IdsQuery).prefix
        return respond(request, await fetch(request, self._reader, "ids", IdsByPrefix(prefix)))

    async def commands(self, request: Request) -> Response:
        """GET /v1/commands: commands by acceptance. Without `authorization:read` the caller's own."""
        caller = self._access.admit(request)
        query = read_query(request, CommandsQuery)
        if Permission.AUTHORIZATION_READ not in caller.permissions:
            if query.caller not in {None, caller.name}:
                self._access.require(caller, Permission.AUTHORIZATION_READ)
            query = query.model_copy(update={"caller": caller.name})
        page = CommandPage(query, read_after(query.cursor, datetime, str))
        return respond(request, await fetch(request, self._reader, "commands", page))
