"""The projector's writes: offsets and rows change in one transaction.

    lock ─▶ compare and set the offsets ─▶ load rows ─▶ fold ─▶ save rows, labels ─▶ commit

A projector whose offsets differ from the stored offsets is late, or a zombie. It gets `StaleOffsets`, and the
transaction is rolled back.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import class_row
from pydantic_core import to_json

from adapters.postgres.labels import listed, write_labels
from adapters.postgres.rows import RowKeys, Rows
from adapters.postgres.tables import AUTHORIZATIONS, COMMANDS, HANDOFFS, MINUTES, TIMELINE, Row, Table

_REPAIRED_ROWS = 1_000
PartitionKey = tuple[str, int]
"""The role of a topic and the number of a partition."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtext(current_schema()))"
_MOVE_OFFSETS = """
UPDATE progress p SET next_offset = m.to_offset
FROM json_to_recordset(%s::json) AS m(topic text, partition int, from_offset bigint, to_offset bigint)
WHERE p.topic = m.topic AND p.partition = m.partition AND p.next_offset = m.from_offset
"""
_ADD_PARTITIONS = """
INSERT INTO progress SELECT topic, partition, 0, topic_id
FROM json_to_recordset(%s::json) AS p(topic text, partition int, topic_id text) ON CONFLICT DO NOTHING
"""
_HEARTBEAT = """
INSERT INTO heartbeat (id, at, behind) VALUES (1, now(), %s)
ON CONFLICT (id) DO UPDATE SET at = EXCLUDED.at, behind = EXCLUDED.behind
"""
SWEEPS: Mapping[str, LiteralString] = {
    "timeline": "at < %(before)s",
    "minutes": "minute < %(before)s",
    "commands": "status = 'finished' AND greatest(accepted_at, changed_at) < %(before)s",
    "handoffs": "closed_at < %(before)s",
    "authorizations": "updated_at < %(before)s AND active_handoff_id IS NULL",
}
"""The rows past retention, by table. Commands that wait for a person and open handoffs are never deleted."""


class Position(NamedTuple):
    """The next offset of a partition, in the topic with this id."""

    next_offset: int
    topic_id: str


class StaleOffsets(Exception):
    """Another projector has already written these records."""


class UnwritableRows(Exception):
    """The rows cannot be made, or PostgreSQL refuses them; the message is the kind of the error, without a value."""


# A value that no column holds. An error of the schema or of the server is none of these.
_UNWRITABLE: Final = (psycopg.DataError, psycopg.IntegrityError, ValueError, OverflowError)


class Store:
    """One connection, used by one task."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection

    async def positions(self, topic_ids: Mapping[PartitionKey, str]) -> dict[PartitionKey, Position]:
        """Return the stored position of each partition; a new partition begins at 0 of its topic."""
        named = [
            {"topic": topic, "partition": partition, "topic_id": topic_id}
            for (topic, partition), topic_id in topic_ids.items()
        ]
        await self._connection.execute(_ADD_PARTITIONS, (to_json(named).decode(),))
        rows = await self._connection.execute("SELECT topic, partition, next_offset, topic_id FROM progress")
        return {(topic, partition): Position(*rest) async for topic, partition, *rest in rows}

    async def write(
        self, moved: Mapping[PartitionKey, tuple[int, int]], keys: RowKeys, fold: Callable[[Rows], None]
    ) -> None:
        """Move the offsets from `before` to `after`; `fold` changes the rows of the keys.

        Raises StaleOffsets, and UnwritableRows; then nothing is written.
        """
        moves = [
            {"topic": topic, "partition": partition, "from_offset": before, "to_offset": after}
            for (topic, partition), (before, after) in moved.items()
        ]
        try:
            async with self._connection.transaction():
                await self._connection.execute(_LOCK)
                done = await self._connection.execute(_MOVE_OFFSETS, (to_json(moves).decode(),))
                if done.rowcount != len(moves):
                    raise StaleOffsets
                rows = await self._load(keys)
                fold(rows)
                await self._save(rows)
        except _UNWRITABLE as error:
            raise UnwritableRows(type(error).__name__) from error

    async def heartbeat(self, lag: int) -> None:
        """Record that a projector runs, and its lag in records."""
        await self._connection.execute(_HEARTBEAT, (lag,))

    async def sweep(self, table: str, before: datetime, limit: int) -> int:
        """Delete at most `limit` rows past retention from a table; return their number."""
        condition = sql.SQL(SWEEPS[table])
        statement = sql.SQL(
            "DELETE FROM {0} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {0} WHERE {1} LIMIT %(limit)s FOR UPDATE))"
        ).format(sql.Identifier(table), condition)
        async with self._connection.transaction():
            await self._connection.execute(_LOCK)
            deleted = await self._connection.execute(statement, {"before": before, "limit": limit})
        return deleted.rowcount

    async def repair_labels(self, beat: Callable[[], None] = lambda: None) -> int:
        """Write the labels that a sweep left wrong, in pieces; return the number of rows."""
        changed, authorizations = 0, await listed(self._connection)
        for start in range(0, len(authorizations), _REPAIRED_ROWS):
            beat()
            async with self._connection.transaction():
                await self._connection.execute(_LOCK)
                changed += await write_labels(self._connection, authorizations[start : start + _REPAIRED_ROWS])
        return changed

    async def _load(self, keys: RowKeys) -> Rows:
        rows = Rows()
        for command in await self._rows(COMMANDS, ((key,) for key in keys.commands)):
            rows.commands[command.command_id] = command
        for handoff in await self._rows(HANDOFFS, keys.handoffs):
            rows.handoffs[handoff.authorization_id, handoff.handoff_id] = handoff
        for authorization in await self._rows(AUTHORIZATIONS, ((key,) for key in keys.authorizations)):
            rows.authorizations[authorization.authorization_id] = authorization
        return rows

    async def _rows(self, table: Table[Row], keys: Iterable[tuple[str, ...]]) -> list[Row]:
        wanted = table.keys(keys)
        if wanted == b"[]":
            return []
        async with self._connection.cursor(row_factory=class_row(table.row)) as cursor:
            await cursor.execute(table.load(), (wanted.decode(),))
            return await cursor.fetchall()

    async def _save(self, rows: Rows) -> None:
        await self._put(COMMANDS, rows.commands.values())
        await self._put(HANDOFFS, rows.handoffs.values())
        await self._put(AUTHORIZATIONS, rows.authorizations.values())
        await self._put(TIMELINE, rows.timeline)
        await self._put(MINUTES, rows.minutes.values())
        touched = {row.authorization_id for row in rows.commands.values()}
        await write_labels(self._connection, touched | set(rows.authorizations))

    async def _put(self, table: Table[Row], rows: Iterable[Row]) -> None:
        put = table.rows(rows)
        if put != b"[]":
            await self._connection.execute(table.save(), (put.decode(),))
