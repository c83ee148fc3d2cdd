"""The queries of the read model. Each is one SQL statement, so its result shows one moment.

A query is an object that holds its arguments; `ReadModelReader.fetch` runs it on a connection.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from adapters.postgres.filters import Conditions, ordered
from adapters.postgres.serializers import (
    command_status,
    handoff_status,
    timeline_entry,
)
from schemas.api.cursor import write_cursor
from schemas.api.queries import HandoffsQuery, TimelineQuery
from schemas.api.reads import MOST_BEHIND, SILENT_SECONDS, CommandStatus, HandoffList, Timeline

Connection = AsyncConnection[Any]
Row = Mapping[str, Any]
MAX_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class CommandPosition:
    """A command's position in its topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class CommandFound:
    """The result of CommandById. `is_awaited`: the projector has not reached the command yet.

    `behind`: the records that the projector had not read at its last report, `ago_seconds` before; None without one.
    """

    status: CommandStatus | None
    is_awaited: bool = False
    behind: int | None = None
    ago_seconds: float = 0.0


# The calls of a command that has not ended, the newest first. A timeline is read backwards from its end.
_COMMAND = """
SELECT c.*, p.next_offset, a.attempts, heartbeat.behind, extract(epoch FROM now() - heartbeat.at)::float AS ago_seconds
FROM (SELECT 1) one
LEFT JOIN commands c ON c.command_id = %(command_id)s
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('at', t.at, 'data', t.data)) AS attempts
    FROM (
        SELECT at, data FROM timeline
        WHERE authorization_id = c.authorization_id AND command_id = c.command_id AND kind = 'attempt'
        ORDER BY at DESC, rank DESC, ordinal DESC LIMIT %(attempts)s
    ) t
) a ON c.shown_status IN ('waiting', 'dead_lettered')
LEFT JOIN progress p ON p.topic = 'commands' AND p.partition = %(partition)s
LEFT JOIN heartbeat ON true
"""


@dataclass(frozen=True, slots=True)
class CommandById:
    """The status of a command. `at` is its position in the topic, if the caller knows it."""

    command_id: str
    at: CommandPosition | None = None

    async def __call__(self, connection: Connection) -> CommandFound:
        """Return the command's status."""
        partition = self.at.partition if self.at else None
        row = await fetch_one(
            connection, _COMMAND, command_id=self.command_id, partition=partition, attempts=MAX_ATTEMPTS
        )
        status = None if row["command_id"] is None else command_status(row)
        is_awaited = self.at is not None and self.at.offset >= (row["next_offset"] or 0)
        return CommandFound(status, is_awaited, row["behind"], row["ago_seconds"] or 0.0)


NEWEST_METADATA: LiteralString = """(
    SELECT metadata FROM commands c WHERE c.authorization_id = a.authorization_id AND metadata IS NOT NULL
    ORDER BY accepted_at DESC, command_id DESC LIMIT 1
)"""
"""The metadata of the newest command of the authorization `a` that has some, as a subquery."""


@dataclass(frozen=True, slots=True)
class AuthorizationById:
    """The status of an authorization: its id and its public record."""

    authorization_id: str

    async def __call__(self, connection: Connection) -> str | None:
        """Return the status as JSON, or None."""
        statement = f"""
        SELECT (jsonb_build_object('authorizationId', a.authorization_id)
            || coalesce((SELECT jsonb_build_object('metadata', m.metadata) FROM {NEWEST_METADATA} m), '{{}}')
            || record)::text AS status
        FROM authorizations a WHERE authorization_id = %(id)s
        """  # noqa: S608 - all parts are constants
        rows = await fetch_all(connection, statement, id=self.authorization_id)
        return rows[0]["status"] if rows else None


@dataclass(frozen=True, slots=True)
class TimelyAuthorizationById:
    """The public record of an authorization, if the read model is up to date."""

    authorization_id: str

    async def __call__(self, connection: Connection) -> tuple[str | None, bool]:
        """Return the record as JSON or None, and whether the projector is late."""
        statement = """
        SELECT (SELECT record::text FROM authorizations WHERE authorization_id = %(id)s) AS record,
            coalesce(
                (SELECT at < now() - make_interval(secs => %(silent)s) OR behind > %(behind)s FROM heartbeat), true
            ) AS is_late
        """
        row = await fetch_one(
            connection, statement, id=self.authorization_id, silent=SILENT_SECONDS, behind=MOST_BEHIND
        )
        return row["record"], row["is_late"]


_TIMELINE_KEY: tuple[LiteralString, ...] = ("at", "rank", "ordinal")


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """A page of an authorization's timeline; `after` is the sort key from a cursor."""

    authorization_id: str
    query: TimelineQuery
    after: tuple[datetime, int, int] | None = None

    async def __call__(self, connection: Connection) -> Timeline:
        """Return the page."""
        rows, following = await fetch_page(connection, *self.statement(), self.query.limit, _TIMELINE_KEY)
        return Timeline(
            authorization_id=self.authorization_id,
            entries=[timeline_entry(row) for row in rows],
            next=following,
        )

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        conditions = Conditions()
        conditions.add("authorization_id = %(authorization_id)s", authorization_id=self.authorization_id)
        conditions.between("at", self.query.since, None)
        conditions.after(_TIMELINE_KEY, self.after, self.query.order)
        select: LiteralString = "SELECT at, rank, ordinal, kind, command_id, data FROM timeline WHERE "
        return (
            f"{select}{conditions.sql} ORDER BY {ordered(_TIMELINE_KEY, self.query.order)} LIMIT %(limit)s",
            conditions.values,
        )


# The timeline names the people of a handoff, so the table of handoffs needs no columns for them.
_PEOPLE: LiteralString = """(
    SELECT jsonb_object_agg(latest.kind, latest.data) FROM (
        SELECT DISTINCT ON (t.kind) t.kind, t.data FROM timeline t
        WHERE t.authorization_id = h.authorization_id AND t.data->>'handoffId' = h.handoff_id
        AND t.kind IN ('handoff.opened', 'handoff.access_granted', 'handoff.closed')
        ORDER BY t.kind, t.at DESC, t.rank DESC, t.ordinal DESC
    ) latest
) AS people"""
OF_HANDOFF: LiteralString = (
    f"h.opened_at, h.grants, h.operator, h.grant_expires_at, h.risk, h.risk_ends_at, h.metadata, {_PEOPLE}"
)
_ACTIVE: LiteralString = f"""
SELECT a.authorization_id, a.active_handoff_id AS handoff_id, a.active_since AS since, a.record AS record, {OF_HANDOFF}
FROM authorizations a
LEFT JOIN handoffs h ON h.authorization_id = a.authorization_id AND h.handoff_id = a.active_handoff_id
WHERE a.active_handoff_id IS NOT NULL AND """  # noqa: S608 - all parts are constants
_ACTIVE_KEY: tuple[LiteralString, ...] = ("a.active_since", "a.authorization_id")
_CLOSED: LiteralString = f"""
SELECT h.*, h.closed_at AS since, {_PEOPLE} FROM handoffs h
WHERE h.closed_at IS NOT NULL AND """  # noqa: S608 - all parts are constants
_CLOSED_KEY: tuple[LiteralString, ...] = ("h.closed_at", "h.authorization_id", "h.handoff_id")


@dataclass(frozen=True, slots=True)
class HandoffPage:
    """A page of the open or closed handoffs; `after` is the sort key from a cursor."""

    query: HandoffsQuery
    after: tuple[datetime, str, str] | None = None

    async def __call__(self, connection: Connection) -> HandoffList:
        """Return the page."""
        key = "since", "authorization_id", "handoff_id"
        rows, following = await fetch_page(connection, *self.statement(), self.query.limit, key)
        return HandoffList(handoffs=[handoff_status(row) for row in rows], next=following)

    def statement(self) -> tuple[LiteralString, Mapping[str, Any]]:
        """Return the statement and its parameters."""
        query, conditions = self.query, Conditions()
        select, key = (_ACTIVE, _ACTIVE_KEY) if query.state == "active" else (_CLOSED, _CLOSED_KEY)
        conditions.between(key[0], query.since, None)
        conditions.after(key, self.after, query.order)
        return f"{select}{conditions.sql} ORDER BY {ordered(key, query.order)} LIMIT %(limit)s", conditions.values


async def fetch_page(
    connection: Connection, statement: LiteralString, values: Row, limit: int, key: Iterable[str]
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the first `limit` rows, and a cursor of the columns of `key` if there are more rows."""
    rows = await fetch_all(connection, statement, **values, limit=limit + 1)
    following = write_cursor(*(rows[limit - 1][column] for column in key)) if len(rows) > limit else None
    return rows[:limit], following


async def fetch_all(connection: Connection, statement: Any, **values: Any) -> list[dict[str, Any]]:
    """Return the rows of a statement."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()


async def fetch_one(connection: Connection, statement: Any, **values: Any) -> dict[str, Any]:
    """Return the only row of a statement."""
    (row,) = await fetch_all(connection, statement, **values)
    return row
