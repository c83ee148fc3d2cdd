"""The read routes: commands, authorizations, timelines, handoffs and the overview, from the read model.

No other part of the ingress needs the database. While it is not available, these routes answer 503 immediately, and
commands are accepted as usual. A response has an ETag, and a client that sends it again gets 304 for the same body.
"""

import hashlib
from typing import Literal, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from adapters.postgres.database import DatabaseAway, NotMigrated
from adapters.postgres.queries import (
    AuthorizationById,
    CommandById,
    CommandPosition,
    HandoffPage,
    TimelinePage,
    authorization_json,
    overview,
)
from adapters.postgres.reader import Query, ReadModelBusy, ReadModelReader
from gateway.ingress.auth.callers import Caller, Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.http.context import context_of
from gateway.ingress.http.problems import NotFound, Overloaded, ReadModelUnavailable
from gateway.ingress.http.query import invalid_parameter, read_after, read_limit, read_query
from gateway.ingress.http.request import path_command_id, path_id
from schemas.api.reads import CommandStatus
from schemas.model import Model

_MAX_OFFSET = 1 << 62
_MAX_PARTITION = 1 << 31
Result = TypeVar("Result")


class Reads:
    """The endpoints of the read routes."""

    def __init__(self, access: AccessControl, reader: ReadModelReader) -> None:
        self._access = access
        self._reader = reader

    async def command(self, request: Request) -> Response:
        """GET /v1/commands/{commandId}: a command of the caller; with `authorization:read` any command."""
        caller = self._access.admit(request)
        command_id = path_command_id(request)
        position = _read_position(read_query(request, "at").get("at"))
        result = await self._fetch("command", CommandById(command_id, position))
        if result.status is not None and _may_read(caller, result.status):
            return _respond(request, result.status)
        if result.is_awaited:
            return _respond(request, CommandStatus(command_id=command_id, status="accepted"))
        raise NotFound("Command not found: it does not exist, belongs to another caller, or has expired.")

    async def authorization(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}."""
        authorization_id = self._admit(request)
        read_query(request)
        record = await self._fetch("authorization", AuthorizationById(authorization_id))
        if record is None:
            raise NotFound("The authorization is not watched. Send a watch command for it first.")
        return _respond_json(request, authorization_json(authorization_id, record))

    async def timeline(self, request: Request) -> Response:
        """GET /v1/authorizations/{authorizationId}/timeline."""
        authorization_id = self._admit(request)
        query = read_query(request, "limit", "cursor")
        after = read_after(query, int, int)
        page = TimelinePage(authorization_id, read_limit(query), after)
        return _respond(request, await self._fetch("timeline", page))

    async def handoffs(self, request: Request) -> Response:
        """GET /v1/handoffs?state=active|closed: a work list. The handoffs longest in this state come first."""
        self._access.admit(request, Permission.AUTHORIZATION_READ)
        query = read_query(request, "state", "limit", "cursor")
        state: Literal["active", "closed"]
        match query.get("state", "active"):
            case "active":
                state = "active"
            case "closed":
                state = "closed"
            case _:
                raise invalid_parameter("state", "active or closed")
        after = read_after(query, str, str)
        return _respond(request, await self._fetch("handoffs", HandoffPage(state, read_limit(query), after)))

    async def overview(self, request: Request) -> Response:
        """GET /v1/overview: rates, waiting commands by reason, the oldest commands, and the age of these data."""
        self._access.admit(request, Permission.AUTHORIZATION_READ)
        read_query(request)
        return _respond(request, await self._fetch("overview", overview))

    def _admit(self, request: Request) -> str:
        self._access.admit(request, Permission.AUTHORIZATION_READ)
        authorization_id = path_id(request, "authorizationId")
        context_of(request.scope).log_fields["authorization_id"] = authorization_id
        return authorization_id

    async def _fetch(self, name: str, query: Query[Result]) -> Result:
        try:
            return await self._reader.fetch(name, query)
        except (DatabaseAway, NotMigrated):
            # The cause may name hosts and users: it is in the log of the database client, for operators only.
            raise ReadModelUnavailable(
                "The read model is not available now. Commands are accepted as usual. Retry after Retry-After.",
                retry_after_seconds=2,
            ) from None
        except ReadModelBusy:
            raise Overloaded("Send the request again, after Retry-After.", retry_after_seconds=1) from None


def _may_read(caller: Caller, status: CommandStatus) -> bool:
    return status.caller == caller.name or Permission.AUTHORIZATION_READ in caller.permissions


def _read_position(text: str | None) -> CommandPosition | None:
    if text is None:
        return None
    partition, dash, offset = text.partition("-")
    if not dash or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (partition, offset)):
        raise invalid_parameter("at", "partition-offset, as in the Location of the 202")
    if int(partition) >= _MAX_PARTITION or int(offset) >= _MAX_OFFSET:
        raise invalid_parameter("at", "partition-offset, as in the Location of the 202")
    return CommandPosition(int(partition), int(offset))


def _respond(request: Request, model: Model) -> Response:
    return _respond_json(request, model.to_json())


def _respond_json(request: Request, body: bytes) -> Response:
    """Return 200 with the body's ETag, or 304 if the client has the same body."""
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    given = context_of(request.scope).headers.get(b"if-none-match")
    if given is not None and _matches(given.decode("latin-1"), etag):
        return Response(status_code=304, headers={"etag": etag})
    return Response(body, headers={"etag": etag}, media_type="application/json")


def _matches(given: str, etag: str) -> bool:
    # RFC 9110 section 13.1.2: the comparison is weak, so `W/` does not matter.
    return any(item.strip().removeprefix("W/") in {etag, "*"} for item in given.split(","))
