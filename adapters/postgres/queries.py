"""The queries of the read model. Each is one SQL statement, so its result shows one moment.

A query is an object that holds its arguments; `ReadModelReader.fetch` runs it on a connection.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from adapters.postgres.cursor import write_cursor
from adapters.postgres.rows import Rank
from adapters.postgres.serializers import command_status, handoff_status, timeline_entry, unfinished_command
from schemas.api.reads import CommandStatus, HandoffList, HandoffStatus, Overview, Projector, Rates, Timeline

Connection = AsyncConnection[Any]
Row = Mapping[str, Any]
MAX_UNFINISHED = 10


@dataclass(frozen=True, slots=True)
class CommandPosition:
    """A command's position in its topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class CommandFound:
    """The result of CommandById. `is_awaited`: the projector has not reached the command yet."""

    status: CommandStatus | None
    is_awaited: bool = False


_COMMAND = """
SELECT c.*, p.next_offset
FROM (SELECT 1) one
LEFT JOIN commands c ON c.command_id = %(command_id)s
LEFT JOIN progress p ON p.topic = 'commands' AND p.partition = %(partition)s
"""


@dataclass(frozen=True, slots=True)
class CommandById:
    """The status of a command. `at` is its position in the topic, if the caller knows it."""

    command_id: str
    at: CommandPosition | None = None

    async def __call__(self, connection: Connection) -> CommandFound:
        """Return the command's status."""
        partition = self.at.partition if self.at else None
        row = await _one(connection, _COMMAND, command_id=self.command_id, partition=partition)
        if row["command_id"] is not None:
            return CommandFound(command_status(row))
        next_offset = row["next_offset"] or 0
        return CommandFound(None, is_awaited=self.at is not None and self.at.offset >= next_offset)


@dataclass(frozen=True, slots=True)
class AuthorizationById:
    """The public record of an authorization."""

    authorization_id: str

    async def __call__(self, connection: Connection) -> str | None:
        """Return the record as JSON, or None."""
        statement = "SELECT record::text AS record FROM authorizations WHERE authorization_id = %(id)s"
        rows = await _all(connection, statement, id=self.authorization_id)
        return str(rows[0]["record"]) if rows else None


_TIMELINE = """
SELECT at, rank, ordinal, kind, command_id, data FROM timeline
WHERE authorization_id = %(authorization_id)s
AND (%(at)s::timestamptz IS NULL OR (at, rank, ordinal) > (%(at)s, %(rank)s::int, %(ordinal)s::bigint))
ORDER BY at, rank, ordinal LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """A page of an authorization's timeline; `after` is the sort key from a cursor."""

    authorization_id: str
    limit: int
    after: tuple[datetime, int, int] | None = None

    async def __call__(self, connection: Connection) -> Timeline:
        """Return the page."""
        at, rank, ordinal = self.after or (None, None, None)
        rows = await _all(
            connection,
            _TIMELINE,
            authorization_id=self.authorization_id,
            at=at,
            rank=rank,
            ordinal=ordinal,
            limit=self.limit + 1,
        )
        rows, last = rows[: self.limit], rows[self.limit - 1] if len(rows) > self.limit else None
        return Timeline(
            authorization_id=self.authorization_id,
            entries=[timeline_entry(row) for row in rows],
            next=write_cursor(last["at"], last["rank"], last["ordinal"]) if last else None,
        )


# The timeline names the caller of each grant, so the table of handoffs needs no column for it.
_GRANT_CALLER = """(
    SELECT t.data->>'caller' FROM timeline t
    WHERE h.grants > 0 AND t.authorization_id = h.authorization_id
    AND t.kind = 'handoff.access_granted' AND t.data->>'handoffId' = h.handoff_id
    ORDER BY t.at DESC, t.rank DESC, t.ordinal DESC LIMIT 1
) AS grant_caller"""
_ACTIVE = f"""
SELECT a.authorization_id, a.active_handoff_id AS handoff_id, a.active_since AS since, a.record AS record,
    h.opened_at, h.grants, h.operator, h.grant_expires_at, h.risk, h.risk_ends_at, h.metadata, {_GRANT_CALLER}
FROM authorizations a
LEFT JOIN handoffs h ON h.authorization_id = a.authorization_id AND h.handoff_id = a.active_handoff_id
WHERE a.active_handoff_id IS NOT NULL
AND (%(at)s::timestamptz IS NULL OR (a.active_since, a.authorization_id) > (%(at)s, %(authorization_id)s))
ORDER BY a.active_since, a.authorization_id LIMIT %(limit)s
"""  # noqa: S608 - all parts are constants
_CLOSED = f"""
SELECT h.*, h.closed_at AS since, {_GRANT_CALLER} FROM handoffs h
WHERE closed_at IS NOT NULL
AND (%(at)s::timestamptz IS NULL
    OR (closed_at, authorization_id, handoff_id) > (%(at)s, %(authorization_id)s, %(handoff_id)s))
ORDER BY closed_at, authorization_id, handoff_id LIMIT %(limit)s
"""  # noqa: S608 - all parts are constants


@dataclass(frozen=True, slots=True)
class HandoffPage:
    """A page of the open or closed handoffs; `after` is the sort key from a cursor."""

    state: Literal["active", "closed"]
    limit: int
    after: tuple[datetime, str, str] | None = None

    async def __call__(self, connection: Connection) -> HandoffList:
        """Return the page."""
        at, authorization_id, handoff_id = self.after or (None, None, None)
        rows = await _all(
            connection,
            _ACTIVE if self.state == "active" else _CLOSED,
            at=at,
            authorization_id=authorization_id,
            handoff_id=handoff_id,
            limit=self.limit + 1,
        )
        rows, last = rows[: self.limit], rows[self.limit - 1] if len(rows) > self.limit else None
        found: list[HandoffStatus] = [handoff_status(row) for row in rows]
        following = write_cursor(last["since"], last["authorization_id"], last["handoff_id"]) if last else None
        return HandoffList(handoffs=found, next=following)


_UNFINISHED = """
SELECT command_id, authorization_id, type, caller, accepted_at, status, reason, advice, until
FROM commands WHERE status <> 'finished' AND {} ORDER BY accepted_at NULLS FIRST, command_id LIMIT {}
"""
_UNDECIDED = "status = 'dead_lettered' AND asked_redrive <= redrive"
_OVERVIEW = f"""
WITH unfinished AS (SELECT status, reason, count(*) AS n FROM commands WHERE status <> 'finished' GROUP BY 1, 2)
SELECT
    (SELECT coalesce(json_object_agg(status, n), '{{}}')
        FROM (SELECT status, sum(n) AS n FROM unfinished GROUP BY 1) s) AS unfinished,
    (SELECT coalesce(json_object_agg(coalesce(reason, 'unknown'), n), '{{}}')
        FROM unfinished WHERE status = 'waiting') AS waiting,
    (SELECT coalesce(json_agg(o), '[]')
        FROM ({_UNFINISHED.format("status <> 'dead_lettered'", MAX_UNFINISHED)}) o) AS oldest,
    (SELECT coalesce(json_agg(d), '[]')
        FROM ({_UNFINISHED.format(_UNDECIDED, MAX_UNFINISHED)}) d) AS dead_letters,
    (SELECT count(*) FROM commands WHERE accepted_at > now() - interval '1 minute') AS accepted,
    (SELECT count(*) FROM commands WHERE status = 'finished' AND changed_at > now() - interval '1 minute') AS finished,
    (SELECT count(*) FROM timeline WHERE at > now() - interval '1 minute' AND rank = {Rank.EVENT:d}) AS events,
    (SELECT count(*) FROM timeline WHERE at > now() - interval '1 minute' AND rank = {Rank.ATTEMPT:d}) AS attempts,
    (SELECT count(*) FROM authorizations WHERE active_handoff_id IS NOT NULL) AS active,
    (SELECT at FROM pulse) AS heartbeat_at,
    (SELECT behind FROM pulse) AS lag
"""  # noqa: S608 - all parts are constants


async def overview(connection: Connection) -> Overview:
    """Return the overview of the whole gateway."""
    row = await _one(connection, _OVERVIEW)
    return Overview(
        at=datetime.now(UTC),
        unfinished=row["unfinished"],
        waiting=row["waiting"],
        oldest=[unfinished_command(one) for one in row["oldest"]],
        dead_letters=[unfinished_command(one) for one in row["dead_letters"]],
        last_minute=Rates(
            accepted=row["accepted"], finished=row["finished"], events=row["events"], attempts=row["attempts"]
        ),
        active_handoffs=row["active"],
        projector=Projector(at=row["heartbeat_at"], behind=row["lag"]),
    )


async def _all(connection: Connection, statement: Any, **values: Any) -> list[dict[str, Any]]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, values)
        return await cursor.fetchall()


async def _one(connection: Connection, statement: Any, **values: Any) -> dict[str, Any]:
    (row,) = await _all(connection, statement, **values)
    return row


def authorization_json(authorization_id: str, record: str) -> bytes:
    """Return the response body for an authorization: its id, then the members of its record."""
    return f'{{"authorizationId":{json.dumps(authorization_id)},{record[1:]}'.encode()
