"""What became of it: commands, authorizations, timelines, handoffs and the whole at a glance, from the read model.

Nothing else of the ingress depends on the database: while it is away these answer 503 at once, and commands are kept as
ever. An answer that has not changed is a 304 to whoever sends its ETag.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

from adapters.postgres.cursor import CursorInvalid, read_cursor
from adapters.postgres.database import DatabaseAway, NotMigrated
from adapters.postgres.queries import (
    AuthorizationById,
    CommandById,
    HandoffPage,
    Place,
    TimelinePage,
    authorization_json,
    overview,
)
from adapters.postgres.reader import Busy, Question, Reader
from gateway.ingress.auth.callers import Caller, Permission
from gateway.ingress.auth.permissions import AccessControl
from gateway.ingress.commands.routes import path_id
from gateway.ingress.http.exchange import Answer, Exchange
from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import InvalidParameter, NotFound, Overloaded, ReadModelUnavailable
from schemas.api.reads import CommandStatus
from schemas.field_types import is_command_id
from schemas.model import Model

MOST_ROWS = 200
USUAL_ROWS = 50
_MOST_TERMS = 10
_MOST_OFFSET = 1 << 62
Found = TypeVar("Found")


class Reads:
    """The handlers behind the read routes."""

    def __init__(self, gate: AccessControl, reader: Reader) -> None:
        self._gate = gate
        self._reader = reader

    async def command(self, exchange: Exchange) -> Answer:
        """GET /v1/commands/{commandId}: a caller's own; those of others with `authorization:read`."""
        caller = self._gate.admit(exchange)
        command_id = exchange.path["commandId"]
        if not is_command_id(command_id):
            raise InvalidParameter("Send the commandId of a 202.", faults=(Fault("a UUID", parameter="commandId"),))
        exchange.facts.fields["command_id"] = command_id
        place = _place(_query(exchange, "at").get("at"))
        found = await self._ask("command", CommandById(command_id, place))
        if found.status is not None and _may_see(caller, found.status):
            return _answer(exchange, found.status)
        if found.is_awaited:
            return _answer(exchange, CommandStatus(command_id=command_id, status="accepted"))
        raise NotFound("There is no such command of yours, or it is past retention. Check the id.")

    async def authorization(self, exchange: Exchange) -> Answer:
        """GET /v1/authorizations/{authorizationId}."""
        authorization_id = self._admit(exchange)
        _query(exchange)
        record = await self._ask("authorization", AuthorizationById(authorization_id))
        if record is None:
            raise NotFound("This authorization is not watched. Send a watch for it first.")
        return _conditional(exchange, authorization_json(authorization_id, record))

    async def timeline(self, exchange: Exchange) -> Answer:
        """GET /v1/authorizations/{authorizationId}/timeline."""
        authorization_id = self._admit(exchange)
        query = _query(exchange, "limit", "cursor")
        behind = _behind(query.get("cursor"), int, int)
        page = TimelinePage(authorization_id, _limit(query.get("limit")), behind)
        return _answer(exchange, await self._ask("timeline", page))

    async def handoffs(self, exchange: Exchange) -> Answer:
        """GET /v1/handoffs?state=active|closed: a work list, those that have been so for longest first."""
        self._gate.admit(exchange, Permission.AUTHORIZATION_READ)
        query = _query(exchange, "state", "limit", "cursor")
        state: Literal["active", "closed"]
        match query.get("state", "active"):
            case "active":
                state = "active"
            case "closed":
                state = "closed"
            case _:
                raise _wrong("state", "active or closed")
        behind = _behind(query.get("cursor"), str, str)
        return _answer(exchange, await self._ask("handoffs", HandoffPage(state, _limit(query.get("limit")), behind)))

    async def overview(self, exchange: Exchange) -> Answer:
        """GET /v1/overview: rates, what waits and why, the oldest commands, and how fresh all this is."""
        self._gate.admit(exchange, Permission.AUTHORIZATION_READ)
        _query(exchange)
        return _answer(exchange, await self._ask("overview", overview))

    def _admit(self, exchange: Exchange) -> str:
        self._gate.admit(exchange, Permission.AUTHORIZATION_READ)
        authorization_id = path_id(exchange, "authorizationId")
        exchange.facts.fields["authorization_id"] = authorization_id
        return authorization_id

    async def _ask(self, name: str, question: Question[Found]) -> Found:
        try:
            return await self._reader.ask(name, question)
        except (DatabaseAway, NotMigrated):
            # Why is the operators' business and stands in the log: it may name hosts and users.
            raise ReadModelUnavailable(
                "Status can't be read now; commands are kept as ever. Ask again, after Retry-After.",
                retry_after_seconds=2,
            ) from None
        except Busy:
            raise Overloaded("Ask again, after Retry-After.", retry_after_seconds=1) from None


def _may_see(caller: Caller, status: CommandStatus) -> bool:
    return status.caller == caller.name or Permission.AUTHORIZATION_READ in caller.permissions


def _query(exchange: Exchange, *known: str) -> Mapping[str, str]:
    text = exchange.query.decode("latin-1")
    try:
        terms = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_TERMS)
    except ValueError:
        raise _wrong("query", f"at most {_MOST_TERMS} parameters") from None
    found = dict(terms)
    if len(found) != len(terms) or not found.keys() <= set(known):
        expected = f"each of {', '.join(known)} once at most" if known else "no parameters"
        raise _wrong("query", expected)
    return found


def _limit(text: str | None) -> int:
    if text is None:
        return USUAL_ROWS
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MOST_ROWS):
        raise _wrong("limit", f"a number from 1 to {MOST_ROWS}")
    return int(text)


def _behind(cursor: str | None, *types: type) -> Any:
    if cursor is None:
        return None
    try:
        return read_cursor(cursor, *types)
    except CursorInvalid:
        raise _wrong("cursor", "`next` of the answer before, unchanged") from None


def _place(at: str | None) -> Place | None:
    if at is None:
        return None
    partition, dash, offset = at.partition("-")
    numbers = (partition, offset)
    if not dash or not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in numbers):
        raise _wrong("at", "partition-offset, as in the Location of the 202")
    if int(partition) >= 1 << 31 or int(offset) >= _MOST_OFFSET:
        raise _wrong("at", "partition-offset, as in the Location of the 202")
    return Place(int(partition), int(offset))


def _wrong(parameter: str, expected: str) -> InvalidParameter:
    return InvalidParameter("Correct the query.", faults=(Fault(expected, parameter=parameter),))


def _answer(exchange: Exchange, model: Model) -> Answer:
    return _conditional(exchange, model.to_json())


def _conditional(exchange: Exchange, body: bytes) -> Answer:
    """Answer 200 with the body's ETag, or 304 if the client has that very body."""
    etag = b'"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"'
    given = exchange.headers.get(b"if-none-match")
    if given is not None and _matches(given, etag):
        return Answer(304, b"", [(b"etag", etag)])
    return Answer(200, body, [(b"content-type", b"application/json"), (b"etag", etag)])


def _matches(given: bytes, etag: bytes) -> bool:
    # RFC 9110 13.1.2: weak comparison, so W/ does not matter.
    return any(one.strip().removeprefix(b"W/") in {etag, b"*"} for one in given.split(b","))
