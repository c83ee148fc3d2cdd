"""The rows for `bench.reads`, which `data.sql` writes: a month of a busy gateway, with most of it in the last days.

Rows are written in the order of their times, as the projector writes them. One of `every` authorizations needs a
person; a quarter as many have an open handoff, and half as many are contradicted. One of 20 handoffs was lost. One of
20 times `every` commands waits, for one of ten reasons. There are `every` payers, two fifths as many people and teams,
and a fifth as many reasons of rejections. With `every` = 50, no authorization with a command of the team `archive`, a
fifth of them, needs a person.
"""

import time
from pathlib import Path
from typing import Final

import psycopg

from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.store import Store
from bench.harness import console
from runtime.settings import ReadModelSettings

CALLERS = ("scheduling", "intake", "portal", "desk", "reporting", "people:jo.miller")
EVERY: Final = 50
STATEMENTS: Final = Path(__file__).with_name("data.sql")
SIZES: Final = (
    "SELECT relname, pg_size_pretty(pg_table_size(oid)), pg_size_pretty(pg_indexes_size(oid)) FROM pg_class"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    " ORDER BY pg_total_relation_size(oid) DESC LIMIT 4"
)


async def fill(conninfo: str, settings: ReadModelSettings, authorizations: int) -> None:
    """Make the tables, write the rows and the labels, and let PostgreSQL count them, as autovacuum does."""
    migrate(settings)
    text = STATEMENTS.read_text().replace(":authorizations", str(authorizations)).replace(":every", str(EVERY))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {settings.schema_name}")
        for statement in text.strip().rstrip(";").split(";\n"):
            began = time.perf_counter()
            done = connection.execute(statement.encode())
            if (said := done.statusmessage or "").startswith("INSERT"):
                console.print(f"{said}: {time.perf_counter() - began:.0f} s")
        async with connected(settings, settings.schema_name, "check database", statement_seconds=60.0) as own:
            for what in ("written", "compared"):
                began = time.perf_counter()
                rows = await Store(own).repair_labels()
                console.print(f"labels {what} in {time.perf_counter() - began:.1f} s, {rows:,} rows changed")
        connection.execute("VACUUM ANALYZE")
        for name, table, indexes in connection.execute(SIZES):
            console.print(f"{name}: {table}, indexes {indexes}")
