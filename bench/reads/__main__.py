"""`python -m bench.reads`: the lists of the read model with a million authorizations and three million commands.

A real PostgreSQL is migrated and filled, and the labels are written as a sweep of the projector writes them. Each list,
and the numbers of the people's work, are read with changing values, on a connection as the ingress has it.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from adapters.postgres.reader import ReadModelReader
from bench.harness import options, show
from bench.reads.data import fill
from bench.reads.lists import reads
from local.postgres import Postgres
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.settings import ReadModelSettings

_GOAL_MS = 100.0


async def measure(
    settings: ReadModelSettings, query: Callable[[random.Random], Any], times: int
) -> tuple[list[float], int]:
    """Return the milliseconds of each run, and the number of rows of the last one."""
    reader = ReadModelReader(settings, Metrics(CollectorRegistry()).readmodel, get_log(), seconds=30.0)
    task = asyncio.create_task(reader.run())
    chance = random.Random(7)
    found: list[float] = []
    result: Any = None
    try:
        await reader._probe()  # noqa: SLF001 - until it is connected
        for _ in range(times + 3):
            made = query(chance)
            began = time.perf_counter()
            result = await reader.fetch("bench", made, "bench")
            if hasattr(result, "to_json"):
                result.to_json()
            found.append((time.perf_counter() - began) * 1_000)
    finally:
        task.cancel()
    rows = next((len(value) for value in getattr(result, "__dict__", {}).values() if isinstance(value, list)), 1)
    return found[3:], rows


def _run(given: argparse.Namespace) -> None:
    with Postgres() as postgres, tempfile.TemporaryDirectory() as directory:
        dsn = Path(directory, "dsn")
        dsn.write_text(postgres.conninfo)
        settings = ReadModelSettings(dsn_file=dsn)
        asyncio.run(fill(postgres.conninfo, settings, given.authorizations))
        rows = []
        for name, query in reads(given.authorizations):
            found, count = asyncio.run(measure(settings, query, given.times))
            p50, p95 = statistics.median(found), statistics.quantiles(found, n=20)[-1]
            verdict = "yes" if p95 <= _GOAL_MS else "NO"
            rows.append((name, str(count), f"{p50:.1f}", f"{p95:.1f}", f"{max(found):.1f}", verdict))
    show("The lists", ("list", "rows", "p50 ms", "p95 ms", "max ms", f"p95 ≤ {_GOAL_MS:.0f}"), rows)


if __name__ == "__main__":
    _run(
        options(
            __doc__,
            authorizations=(1_000_000, "authorizations, three commands each"),
            times=(60, "runs of each list"),
        )
    )
