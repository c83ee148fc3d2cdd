"""Fills the tables at the revision before the indexes, and lets the migration create them beside a writer."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from rich.console import Console

from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.store import Store
from bench.reads.data import AFTERWARDS, STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.settings import ReadModelSettings

_BEFORE_INDEXES = "0002"
console = Console(width=150)


def prepare(conninfo: str, settings: ReadModelSettings, authorizations: int) -> None:
    """Fill the tables, and create the indexes beside a writer."""
    schema = settings.schema_name
    migrate(settings, to=_BEFORE_INDEXES)
    fill(conninfo, schema, authorizations)
    with writing(conninfo, schema) as commits:
        began = time.perf_counter()
        migrate(settings)
        seconds = time.perf_counter() - began
    console.print(
        f"the migration took {seconds:.0f} s; a writer beside it committed {len(commits):,} times, "
        f"the slowest commit took {max(commits):.2f} s, the median {statistics.median(commits) * 1_000:.0f} ms"
    )
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


@contextmanager
def writing(conninfo: str, schema: str) -> Iterator[list[float]]:
    """Update and insert rows in short transactions, as the projector does; the list gets the seconds of each."""
    seconds: list[float] = []
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(conninfo) as connection:
            connection.execute(f"SET search_path TO {schema}")
            connection.commit()
            number = 0
            while not stop.wait(0.02):
                number += 1
                began = time.perf_counter()
                connection.execute(
                    "UPDATE commands SET changed_at = now() WHERE command_id IN (SELECT command_id FROM commands"
                    " WHERE status = 'waiting' ORDER BY accepted_at LIMIT 20)"
                )
                connection.execute(
                    "UPDATE authorizations SET updated_at = now() WHERE authorization_id = %s", (f"auth_{number}",)
                )
                connection.commit()
                seconds.append(time.perf_counter() - began)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield seconds
    finally:
        stop.set()
        thread.join()


def _mark(conninfo: str, schema: str) -> None:
    """Write what the projector would have written with each row."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema}")
        for statement in AFTERWARDS:
            connection.execute(statement)


async def _write_labels(settings: ReadModelSettings) -> None:
    """Write the labels, as the projector does at its start."""
    async with connected(settings, settings.schema_name, statement_seconds=60.0) as connection:
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
