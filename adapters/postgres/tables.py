"""SQL statements generated from the fields of the rows: per table one to load rows by key, and one to save rows.

Rows are sent as one JSON parameter: PostgreSQL parses JSON faster than Python builds arrays.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Generic, LiteralString, TypeVar

from psycopg import sql
from pydantic_core import to_json

from adapters.postgres.rows import AuthorizationRow, CommandRow, HandoffRow, MinuteRow, TimelineRow

Row = TypeVar("Row", CommandRow, HandoffRow, AuthorizationRow, TimelineRow, MinuteRow)

_SQL_TYPES: dict[str, LiteralString] = {
    "str": "text",
    "int": "bigint",
    "bool": "boolean",
    "datetime": "timestamptz",
}


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """One table: its row class, its key columns, and its JSON columns."""

    name: str
    row: type[Row]
    key: tuple[str, ...]
    json: frozenset[str] = frozenset()

    @cache  # noqa: B019 - four tables that live as long as the process
    def load(self) -> bytes:
        """Return the statement that selects the rows whose keys are in the JSON parameter."""
        columns = sql.SQL(", ").join(
            sql.SQL("{0}::text AS {0}" if name in self.json else "{0}").format(sql.Identifier(name))
            for name in self._columns()
        )
        matches = sql.SQL(" AND ").join(sql.SQL("t.{0} = k.{0}").format(sql.Identifier(name)) for name in self.key)
        # LIMIT forces one index lookup per key, even with stale statistics of a growing table.
        statement = sql.SQL(
            "SELECT r.* FROM json_to_recordset(%s::json) AS k({}), LATERAL (SELECT {} FROM {} t WHERE {} LIMIT 1) r"
        ).format(self._recordset(self.key), columns, sql.Identifier(self.name), matches)
        return statement.as_bytes()

    @cache  # noqa: B019 - as above
    def save(self) -> bytes:
        """Return the statement that upserts rows of the JSON parameter; timeline entries stay, counts are added."""
        columns = self._columns()
        values = sql.SQL(", ").join(
            sql.SQL("{}::jsonb").format(sql.Identifier(name)) if name in self.json else sql.Identifier(name)
            for name in columns
        )
        rest = [name for name in columns if name not in self.key]
        change = sql.SQL("{0} = t.{0} + EXCLUDED.{0}" if self.row is MinuteRow else "{0} = EXCLUDED.{0}")
        conflict = (
            sql.SQL("DO NOTHING")
            if self.row is TimelineRow
            else sql.SQL("DO UPDATE SET {}").format(
                sql.SQL(", ").join(change.format(sql.Identifier(name)) for name in rest)
            )
        )
        statement = sql.SQL(
            "INSERT INTO {} AS t ({}) SELECT {} FROM json_to_recordset(%s::json) AS r({}) ON CONFLICT ({}) {}"
        ).format(
            sql.Identifier(self.name),
            _names(columns),
            values,
            self._recordset(columns),
            _names(self.key),
            conflict,
        )
        return statement.as_bytes()

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Return rows as the JSON parameter of `save`."""
        return to_json(list(rows))

    def keys(self, keys: Iterable[tuple[str, ...]]) -> bytes:
        """Return keys as the JSON parameter of `load`."""
        return to_json([dict(zip(self.key, key, strict=True)) for key in keys])

    def _columns(self) -> tuple[str, ...]:
        return tuple(column.name for column in fields(self.row))

    def _recordset(self, columns: Iterable[str]) -> sql.Composable:
        types = {column.name: _sql_type(column.type) for column in fields(self.row)}
        return sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(types[name])) for name in columns
        )


def _sql_type(annotation: Any) -> LiteralString:
    name = getattr(annotation, "__name__", None) or str(annotation).partition(" ")[0]
    return _SQL_TYPES[name.rpartition(".")[2]]


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


COMMANDS = Table("commands", CommandRow, ("command_id",), frozenset({"metadata"}))
HANDOFFS = Table("handoffs", HandoffRow, ("authorization_id", "handoff_id"), frozenset({"metadata"}))
AUTHORIZATIONS = Table("authorizations", AuthorizationRow, ("authorization_id",), frozenset({"record"}))
TIMELINE = Table("timeline", TimelineRow, ("authorization_id", "at", "rank", "ordinal"), frozenset({"data"}))
MINUTES = Table("minutes", MinuteRow, ("minute",))
