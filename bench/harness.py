"""What the benchmarks share: subjects in turn, medians, tables, options, and the ends of a topic."""

import argparse
import asyncio
import json
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from rich.console import Console
from rich.table import Table

T = TypeVar("T")
console = Console(width=150)
_SENDS_AT_A_TIME = 5_000
ROWS: Final = "BENCH_ROWS"
"""The variable that names the file for the rows of docs/capacity.md (`make bench ARGS=--table`)."""


async def in_turn(subjects: Mapping[str, Callable[[], Awaitable[T]]], repetitions: int) -> dict[str, list[T]]:
    """Run the subjects alternately, so that a slow minute of the machine meets all of them; return the runs of each."""
    runs: dict[str, list[T]] = {name: [] for name in subjects}
    for _ in range(repetitions):
        for name, subject in subjects.items():
            runs[name].append(await subject())
    return runs


def median(runs: Iterable[T], of: Callable[[T], float]) -> float:
    """Return the median of a value of each run."""
    return statistics.median(of(run) for run in runs)


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each name's values."""
    return {name: median(runs, lambda run, name=name: run[name]) for name in runs[0]}  # type: ignore[misc]


def milliseconds(ordered: Sequence[float], share: float) -> float:
    """Return the percentile of sorted seconds, in milliseconds."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1_000 if ordered else float("nan")


LATENCIES = ("p50 ms", "p99 ms", "of the first p50", "of the first p99")


def latencies(runs: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, list[str]]:
    """Return the cells of `LATENCIES`: medians of each subject's runs, which are sorted seconds."""
    at = {
        name: [median(found, lambda run, share=share: milliseconds(run, share)) for share in (0.5, 0.99)]  # type: ignore[misc]
        for name, found in runs.items()
    }
    first = next(iter(at.values()))
    return {
        name: [*(f"{one:.1f}" for one in mine), *(f"{one / of:.2f}x" for one, of in zip(mine, first, strict=True))]
        for name, mine in at.items()
    }


def listed(values: Mapping[str, float]) -> str:
    """Return names and values as one line."""
    return " · ".join(f"{name} {value:.2f}" for name, value in values.items())


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def row(measured: str, value: str, cost: float = 0.0) -> None:
    """Print a row of docs/capacity.md, and add it to the file for the rows.

    `cost`: the processor time that `make bench ARGS=--compare` compares, if it does.
    """
    console.print(f"{measured}: {value}")
    if path := os.environ.get(ROWS):
        with Path(path).open("a", encoding="utf-8") as rows:
            rows.write(json.dumps({"measured": measured, "value": value, "cost": round(cost, 3)}) + "\n")


def options(doc: str | None, **given: tuple[Any, str]) -> argparse.Namespace:
    """Read the command line: for each option its default, whose type it has, and its words."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    for name, (default, words) in given.items():
        one, many = (default[0], "*") if isinstance(default, list) else (default, None)
        shown = " ".join(map(str, default)) if many else default
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(one), nargs=many, default=default, help=f"{words} ({shown})"
        )
    return parser.parse_args()


@asynccontextmanager
async def producing(bootstrap: str, linger_ms: int = 5) -> AsyncIterator[AIOKafkaProducer]:
    """Open an idempotent producer."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=linger_ms, max_batch_size=1 << 18
    ) as producer:
        yield producer


async def append(bootstrap: str, topic: str, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records, each given as the arguments of `send`, and wait for all confirmations."""
    async with producing(bootstrap) as producer:
        sends = []
        for record in records:
            sends.append(await producer.send(topic, **record))
            if len(sends) == _SENDS_AT_A_TIME:
                await asyncio.gather(*sends)
                sends.clear()
        await asyncio.gather(*sends)


@asynccontextmanager
async def reading(
    bootstrap: str, topic: str, take: Callable[[ConsumerRecord, float], None]
) -> AsyncIterator[asyncio.Event]:
    """Give each committed record and the time of its receipt to `take`; yield an event that each receipt sets."""
    received = asyncio.Event()
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=None,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    ) as consumer:

        async def read() -> None:
            while True:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    now = time.perf_counter()
                    for record in records:
                        take(record, now)
                received.set()

        task = asyncio.create_task(read())
        try:
            yield received
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def paced(rate: float, seconds: float) -> AsyncIterator[tuple[int, float]]:
    """Yield numbers at a steady rate, each with the seconds since the start at which it is due."""
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        yield number, number / rate
