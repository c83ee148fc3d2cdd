"""`python -m bench.reads`: the lists of the read model with a million authorizations and three million commands.

A real PostgreSQL is filled at the revision before the indexes. Then the migration creates them, while a writer commits
as the projector does, and the labels are written as the projector writes them at its start. Each list, and the numbers
of the people's work, are read with changing values, on a connection as the ingress has it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.people_numbers import STATEMENTS as PEOPLE_NUMBERS
from adapters.postgres.people_numbers import people_numbers
from adapters.postgres.queries import HandoffPage, TimelinePage
from adapters.postgres.reader import ReadModelReader
from adapters.postgres.store import Store
from adapters.postgres.views.lists import AuthorizationPage, CommandPage
from adapters.postgres.views.overview import OVERVIEW, overview, overview_with_history
from bench.reads_data import AFTERWARDS, CALLERS, PAYERS, STATEMENTS
from local.postgres import Postgres
from runtime.logs import get_log
from runtime.metrics import create_metrics
from runtime.settings import ReadModelSettings
from schemas.api.lists import Needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BEFORE_INDEXES = "0002"
_GOAL_MS = 100.0
_LIMIT = 50
console = Console(width=150)


@dataclass(frozen=True, slots=True)
class Read:
    """A list: its name, and a function that returns a query with values by chance."""

    name: str
    query: Callable[[random.Random], Any]


@dataclass(frozen=True, slots=True)
class Values:
    """Values of filters by chance."""

    authorizations: int

    def one(self, chance: random.Random) -> str:
        """Return an authorization."""
        return f"auth_{chance.randrange(self.authorizations)}"

    def case(self, chance: random.Random) -> dict[str, str]:
        """Return metadata that three commands have."""
        return {"case": f"case-{chance.randrange(self.authorizations)}"}

    def key(self, chance: random.Random) -> tuple[datetime, str]:
        """Return the sort key of a page."""
        return _ago(chance), self.one(chance)


def _ago(chance: random.Random) -> datetime:
    return datetime.now(UTC) - timedelta(days=chance.random() * 20)


def _payer(chance: random.Random) -> str:
    return f"payer_{chance.randrange(PAYERS)}"


def _caller(chance: random.Random) -> str:
    return chance.choice(CALLERS)


def _team(chance: random.Random) -> dict[str, str]:
    return {"team": f"team-{chance.randrange(20)}"}


def _reason(chance: random.Random) -> str:
    return f"reason_{chance.randrange(10)}"


def _always(value: Any) -> Callable[[random.Random], Any]:
    return lambda _: value


_handoff, _contradicted = _always(Needs.HANDOFF), _always(Needs.CONTRADICTED)


def _work(name: str, **given: Callable[[random.Random], Any]) -> Read:
    return Read(name, lambda chance: AuthorizationPage(_LIMIT, **{key: value(chance) for key, value in given.items()}))


def _commands(name: str, **given: Callable[[random.Random], Any]) -> Read:
    return Read(name, lambda chance: CommandPage(_LIMIT, **{key: value(chance) for key, value in given.items()}))


def reads(values: Values) -> list[Read]:
    """Return all lists, with the filters that people and services use."""
    newest, rare = _always("newest"), _always("rare")
    return [
        _work("authorizations, needs=person"),
        _work("  at a cursor", after=values.key),
        _work("  by payer", payer_id=_payer),
        _work("  by caller", caller=_caller),
        _work("  by a caller with 30 commands", caller=rare),
        _work("  by metadata, a case", metadata=values.case),
        _work("  by metadata, a team", metadata=_team),
        _work("  by payer, caller and team", payer_id=_payer, caller=_caller, metadata=_team),
        _work("  by caller and team", caller=_caller, metadata=_team),
        _work("  by caller and a case", caller=_caller, metadata=values.case),
        _work("  by a team of which none waits", metadata=_always({"team": "archive"})),
        _work("  by payer and that team", payer_id=_payer, metadata=_always({"team": "archive"})),
        _work("  that wait since before", before=_ago),
        _work("authorizations, needs=handoff", needs=_handoff),
        _work("  by payer, caller and team", needs=_handoff, payer_id=_payer, caller=_caller, metadata=_team),
        _work("authorizations, needs=contradicted", needs=_contradicted),
        _work("  by payer, caller and team", needs=_contradicted, payer_id=_payer, caller=_caller, metadata=_team),
        _commands("commands"),
        _commands("  newest", order=newest),
        _commands("  at a cursor", after=values.key),
        _commands("  by authorization", authorization_id=values.one),
        _commands("  by caller, newest", caller=_caller, order=newest),
        _commands("  by a caller with 30 commands", caller=rare),
        _commands("  accepted", status=_always("accepted")),
        _commands("  waiting", status=_always("waiting")),
        _commands("  dead-lettered", status=_always("dead_lettered")),
        _commands("  waiting by caller", status=_always("waiting"), caller=_caller),
        _commands("  finished, newest", status=_always("finished"), order=newest),
        _commands("  by reason", reason=_reason),
        _commands("  by reason and caller", reason=_reason, caller=_caller),
        _commands("  by a reason that none has", reason=_always("other")),
        _commands("  by metadata, a case", metadata=values.case),
        _commands("  by metadata, a team", metadata=_team),
        _commands("  by metadata, a team, newest", metadata=_team, order=newest),
        _commands("  by metadata and caller", metadata=_team, caller=_caller),
        Read("timeline", lambda chance: TimelinePage(values.one(chance), _LIMIT)),
        Read("  newest, since", lambda chance: TimelinePage(values.one(chance), _LIMIT, None, "newest", _ago(chance))),
        Read("handoffs, active", lambda _: HandoffPage("active", _LIMIT)),
        Read("handoffs, closed, newest", lambda _: HandoffPage("closed", _LIMIT, order="newest")),
        Read("  since", lambda chance: HandoffPage("closed", _LIMIT, since=_ago(chance))),
        Read("numbers of the people's work", _always(people_numbers)),
        Read("overview", _always(overview)),
        Read("overview, history=1h", _always(overview_with_history)),
    ]


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


async def measure(settings: ReadModelSettings, read: Read, times: int) -> tuple[list[float], int]:
    """Return the milliseconds of each run, and the number of rows of the last one."""
    reader = ReadModelReader(settings, create_metrics(CollectorRegistry()).readmodel, get_log())
    task = asyncio.create_task(reader.run())
    chance = random.Random(7)
    found: list[float] = []
    result: Any = None
    try:
        await reader._probe()  # noqa: SLF001 - until it is connected
        for _ in range(times + 3):
            query = read.query(chance)
            began = time.perf_counter()
            result = await reader.fetch("bench", query, "bench")
            if hasattr(result, "to_json"):
                result.to_json()
            found.append((time.perf_counter() - began) * 1_000)
    finally:
        task.cancel()
    rows = next((len(value) for value in getattr(result, "__dict__", {}).values() if isinstance(value, list)), 1)
    return found[3:], rows


def explain(conninfo: str, schema: str, read: Read) -> list[str]:
    """Return the plans of one run."""
    query = read.query(random.Random(7))
    if hasattr(query, "statement"):
        statements = [query.statement()]
    else:
        statements = [(one, {}) for one in (PEOPLE_NUMBERS if query is people_numbers else (OVERVIEW,))]
    with psycopg.connect(conninfo) as connection:
        connection.execute(f"SET search_path TO {schema}")
        plans = [
            connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) {one}", values) for one, values in statements
        ]
        return [row[0] for plan in plans for row in plan]


def _mark(conninfo: str, schema: str) -> None:
    """Write what the projector would have written with each row."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {schema}")
        for statement in AFTERWARDS:
            connection.execute(statement)


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


async def _write_labels(settings: ReadModelSettings) -> None:
    """Write the labels, as the projector does at its start."""
    async with connected(settings, settings.schema_name, statement_seconds=60.0) as connection:
        for what in ("written", "compared"):
            began = time.perf_counter()
            rows = await Store(connection).repair_labels()
            console.print(f"labels {what} in {time.perf_counter() - began:.1f} s, {rows:,} rows changed")


def _run(authorizations: int, times: int) -> None:
    with Postgres() as postgres, tempfile.TemporaryDirectory() as directory:
        dsn = Path(directory, "dsn")
        dsn.write_text(postgres.conninfo)
        settings = ReadModelSettings(dsn_file=dsn, read_timeout=timedelta(seconds=30))
        prepare(postgres.conninfo, settings, authorizations)
        table = Table("list", "rows", "p50 ms", "p95 ms", "max ms", f"p95 ≤ {_GOAL_MS:.0f}")
        head = ""
        for read in reads(Values(authorizations)):
            head = read.name if not read.name.startswith(" ") else head
            found, rows = asyncio.run(measure(settings, read, times))
            p50, p95 = statistics.median(found), statistics.quantiles(found, n=20)[-1]
            verdict = "yes" if p95 <= _GOAL_MS else "NO"
            table.add_row(read.name, str(rows), f"{p50:.1f}", f"{p95:.1f}", f"{max(found):.1f}", verdict)
            if plan := explain(postgres.conninfo, settings.schema_name, read):
                console.rule(f"{head}: {read.name.strip()}", align="left")
                console.print("\n".join(plan), markup=False, highlight=False)
        console.print(table)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--authorizations", type=int, default=1_000_000, help="authorizations, three commands each")
    parser.add_argument("--times", type=int, default=60, help="runs of each list (60)")
    options = parser.parse_args()
    _run(options.authorizations, options.times)


if __name__ == "__main__":
    main()
