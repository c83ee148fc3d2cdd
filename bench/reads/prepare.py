"""Creates the tables and fills them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import psycopg
from rich.console import Console

from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.store import Store
from bench.reads.data import AFTERWARDS, STATEMENTS

if TYPE_CHECKING:
    from runtime.settings import ReadModelSettings

console = Console(width=150)


def prepare(conninfo: str, settings: ReadModelSettings, authorizations: int) -> None:
    """Create the tables and fill them."""
    schema = settings.schema_name
    migrate(settings)
    fill(conninfo, schema, authorizations)
    _mark(conninfo, schema)
    asyncio.run(_write_labels(settings))
    _maintain(conninfo, schema)


def fill(conninfo: str, schema: str, authorizations: int) -> None:
    """Write the rows, then let PostgreSQL count them, as autovacuum does."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema}")
        for name, statement in STATEMENTS.items():
            began = time.perf_counter()
            count = connection.execute(statement, {"authorizations": authorizations}).rowcount
            console.print(f"{name}: {count:,} rows in {time.perf_counter() - began:.0f} s")
        connection.execute("VACUUM ANALYZE")


def _mark(conninfo: str, schema: str) -> None:
    """Write what the projector would have written with each row."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema}")
        for statement in AFTERWARDS:
            connection.execute(statement)


async def _write_labels(settings: ReadModelSettings) -> None:
    """Write the labels, as a sweep of the projector does."""
    async with connected(settings, settings.schema_name, "check database", statement_seconds=60.0) as connection:
        for what in ("written", "compared"):
            began = time.perf_counter()
            rows = await Store(connection).repair_labels()
            console.print(f"labels {what} in {time.perf_counter() - began:.1f} s, {rows:,} rows changed")


def _maintain(conninfo: str, schema: str) -> None:
    """Count the rows as autovacuum does, and print the sizes."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema}")
        connection.execute("VACUUM ANALYZE")
        for name, table, indexes in connection.execute(
            "SELECT relname, pg_size_pretty(pg_table_size(oid)), pg_size_pretty(pg_indexes_size(oid)) FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
            " ORDER BY pg_total_relation_size(oid) DESC LIMIT 4"
        ):
            console.print(f"{name}: {table}, indexes {indexes}")
