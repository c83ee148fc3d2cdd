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
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from rich.table import Table

from adapters.postgres.reader import ReadModelReader
from bench.reads.lists import Values, reads
from bench.reads.prepare import console, prepare
from local.postgres import Postgres
from runtime.logs import get_log
from runtime.metrics import create_metrics
from runtime.settings import ReadModelSettings

if TYPE_CHECKING:
    from bench.reads.lists import Read

_GOAL_MS = 100.0


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
