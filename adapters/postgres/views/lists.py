"""The lists of authorizations and commands: one statement per page, by indexes of the first migration.

A page starts after the sort key of the last row of the page before. A key does not change while its row stays in the
list, except that an authorization of the work list may start to wait again, or get another due date. So no row is lost
or repeated because other rows were written between two pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from adapters.postgres.filters import Conditions, label_json, metadata_json, ordered
from adapters.postgres.people_numbers import AT_RISK
from adapters.postgres.queries import OF_HANDOFF, fetch_all, fetch_one, fetch_page
from adapters.postgres.serializers import command_status, work_item
from schemas.api.lists import (
    MOST_FOUND,
    MOST_TROUBLES,
    AuthorizationList,
    CommandList,
    IdsFound,
    Needs,
    Trouble,
    TroubleKind,
    TroubleList,
)
from schemas.api.queries import AuthorizationsQuery, CommandsQuery
from schemas.enums import full_type

_WAITING_SINCE: LiteralString = "coalesce(a.action_required_at, a.active_since)"
_TIMES: Mapping[Needs, LiteralString] = {
    Needs.PERSON: _WAITING_SINCE,
    Needs.HANDOFF: "a.handoff_required_at",
    Needs.CONTRADICTED: "a.contradicted_at",
}
UNCLAIMED = "none"
"""The value of `claimed_by` for an unclaimed handoff. The name of a person has a colon."""


@dataclass(frozen=True, slots=True)
class AuthorizationPage:
    """A page of the work list; `after` is the sort key from a cursor.

    `caller` and `metadata` are those of one command of the authorization (adapters/postgres/labels.py).
    The earliest due date comes first, then the longest wait.
    """

    query: AuthorizationsQuery
    after: tuple[datetime, datetime, str] | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> AuthorizationList:
        """Return the page."""
        key = "due_at", "since", "authorization_id"
        rows, following = await fetch_page(connection, *self.statement(), self.query.limit, key)
        return AuthorizationList(authorizations=[work_item(row) for row in rows], next=following)

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        query = self.query
        column = _TIMES[query.needs]
        conditions, key = Conditions(), ("a.due_at", column, "a.authorization_id")
        conditions.add(f"{column} IS NOT NULL")
        conditions.add("a.payer_id = %(payer_id)s", payer_id=query.payer)
        if query.claimed_by == UNCLAIMED:
            conditions.add("a.claimed_by IS NULL")
        else:
            conditions.add("a.claimed_by = %(claimed_by)s", claimed_by=query.claimed_by)
        conditions.between(column, query.since, query.before)
        conditions.add("a.command_labels @> %(label)s::jsonb", label=label_json(query.caller, query.metadata))
        conditions.after(key, self.after)
        return (
            f"""
            WITH page AS (
                SELECT a.authorization_id, a.record::text AS record_text, {column} AS since, a.active_handoff_id,
                    a.active_since, a.due_at
                FROM authorizations a WHERE {conditions.sql} ORDER BY {ordered(key)} LIMIT %(limit)s
            )
            SELECT p.authorization_id, p.record_text, p.since, p.active_handoff_id, p.active_since, p.due_at,
                {OF_HANDOFF}, m.metadata AS newest_metadata
            FROM page p LEFT JOIN handoffs h
                ON h.authorization_id = p.authorization_id AND h.handoff_id = p.active_handoff_id
            LEFT JOIN LATERAL (
                SELECT metadata FROM commands c
                WHERE c.authorization_id = p.authorization_id AND metadata IS NOT NULL
                ORDER BY accepted_at DESC, command_id DESC LIMIT 1
            ) m ON true
            ORDER BY p.due_at, p.since, p.authorization_id
            """,  # noqa: S608 - all parts are constants
            conditions.values,
        )


# A person's claims are those of the caller. A service names a person without saying who vouches for the name.
_CLAIMED_BY_CALLER: LiteralString = "a.claimed_by = %(caller)s"
_CLAIMED_BY_NAME: LiteralString = "a.record->'activeHandoff'->'claim'->>'by' = %(operator)s"


@dataclass(frozen=True, slots=True)
class TroublesOf:
    """The handoffs of a person that need them first, of each kind the newest.

    `caller` is the person as a caller, None if a service names the person. `since` is the earliest end.
    """

    operator: str
    caller: str | None = None
    since: datetime | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> TroubleList:
        """Return the handoffs."""
        statement, values = self.statement()
        rows = await fetch_all(connection, statement, **values)
        return TroubleList(troubles=[Trouble(**row | {"kind": TroubleKind(row["kind"])}) for row in rows])

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        claimed = _CLAIMED_BY_NAME if self.caller is None else _CLAIMED_BY_CALLER
        return (
            f"""
            (SELECT 'at_risk' AS kind, h.authorization_id, h.handoff_id, h.risk AS reason, h.risk_ends_at AS at
                FROM {AT_RISK} AND {claimed} ORDER BY h.opened_at DESC, h.authorization_id LIMIT %(limit)s)
            UNION ALL
            (SELECT 'ended', authorization_id, handoff_id, closed_by, closed_at FROM handoffs
                WHERE operator = %(operator)s AND closed_by <> 'us'
                AND closed_at >= coalesce(%(since)s, '-infinity'::timestamptz)
                ORDER BY closed_at DESC, authorization_id LIMIT %(limit)s)
            UNION ALL
            (SELECT 'contradicted', authorization_id, record->'lastHandoff'->>'id', record->'lastHandoff'->>'reported',
                (record->'lastHandoff'->>'closedAt')::timestamptz FROM authorizations
                WHERE contradicted_at IS NOT NULL AND record->'lastHandoff'->>'reportedBy' = %(operator)s
                ORDER BY contradicted_at DESC, authorization_id LIMIT %(limit)s)
            """,  # noqa: S608 - all parts are constants
            {"operator": self.operator, "caller": self.caller, "since": self.since, "limit": MOST_TROUBLES},
        )


# No character of an id is above `~`.
_IDS: LiteralString = """
SELECT array(SELECT authorization_id FROM authorizations
        WHERE authorization_id >= %(prefix)s AND authorization_id < %(prefix)s || chr(127)
        ORDER BY authorization_id LIMIT %(limit)s) AS authorizations,
    array(SELECT command_id FROM commands
        WHERE command_id >= %(prefix)s AND command_id < %(prefix)s || chr(127)
        ORDER BY command_id LIMIT %(limit)s) AS commands
"""


@dataclass(frozen=True, slots=True)
class IdsByPrefix:
    """The first ids, by their bytes, that begin with a text."""

    prefix: str

    async def __call__(self, connection: AsyncConnection[Any]) -> IdsFound:
        """Return the ids."""
        return IdsFound(**await fetch_one(connection, _IDS, prefix=self.prefix, limit=MOST_FOUND))


_COMMAND_KEY: tuple[LiteralString, ...] = ("accepted_at", "command_id")


@dataclass(frozen=True, slots=True)
class CommandPage:
    """A page of commands; `after` is the sort key from a cursor."""

    query: CommandsQuery
    after: tuple[datetime, str] | None = None

    async def __call__(self, connection: AsyncConnection[Any]) -> CommandList:
        """Return the page."""
        rows, following = await fetch_page(connection, *self.statement(), self.query.limit, _COMMAND_KEY)
        return CommandList(commands=[command_status(row) for row in rows], next=following)

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        query, conditions = self.query, Conditions()
        # A command whose record the projector has not read yet has no time.
        conditions.add("accepted_at IS NOT NULL")
        conditions.add("shown_status = %(status)s", status=query.status)
        if query.status not in {None, "finished"}:
            conditions.add("status <> 'finished'")  # the condition of the index of unfinished commands
        conditions.add("authorization_id = %(authorization_id)s", authorization_id=query.authorization_id)
        conditions.add("type = %(type)s", type=query.kind and full_type(query.kind))
        conditions.add("reason = %(reason)s", reason=query.reason)
        conditions.add("caller = %(caller)s", caller=query.caller)
        conditions.add("metadata @> %(metadata)s::jsonb", metadata=metadata_json(query.metadata))
        conditions.between("accepted_at", query.since, query.before)
        conditions.after(_COMMAND_KEY, self.after, query.order)
        order = ordered(_COMMAND_KEY, query.order)
        statement: LiteralString = f"SELECT * FROM commands WHERE {conditions.sql} ORDER BY {order} LIMIT %(limit)s"  # noqa: S608 - all parts are constants
        return statement, conditions.values
