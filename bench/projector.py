"""`python -m bench.projector`: compares the projector with a bare psycopg insert of the same rows; medians of one run.

The floor inserts the final rows with executemany, in as many transactions: no Kafka, no reading, no folding, and each
row once. The projector reads the topics, loads the rows that it changes, and saves them with its offsets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry, Gauge
from psycopg import sql
from rich.console import Console
from rich.table import Table

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import apply, compare, wanted_topics
from adapters.postgres.migrate import migrate
from consumers.projector.loop import GC_THRESHOLD, ProjectorContext, ProjectorLoop
from consumers.projector.source import open_source
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.sample_records import sample_records
from runtime.gc import tune_gc
from runtime.health import Health
from runtime.metrics import create_metrics
from runtime.settings import KafkaSettings, ProcessSettings, ReadModelSettings, TopicSettings
from schemas.topics import catalogue, partition_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.sample_records import SampleRecord

TABLES = ("commands", "handoffs", "authorizations", "timeline", "minutes")
PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class Run:
    """One repetition."""

    records: int
    events: int
    rows: int
    projector_seconds: float
    floor_seconds: float

    @property
    def ratio(self) -> float:
        """The projector's speed as a share of the floor's."""
        return self.floor_seconds / self.projector_seconds


async def fill(settings: ProcessSettings, records: Sequence[SampleRecord]) -> None:
    """Create the topics and write the records."""
    topics = catalogue(settings.topics.prefix)
    wanted = wanted_topics(topics, settings.topics)
    async with open_cluster(settings.kafka) as cluster:
        await apply(cluster, wanted, compare(wanted, {}))
    producer = AIOKafkaProducer(bootstrap_servers=list(settings.kafka.bootstrap), linger_ms=5, max_batch_size=1 << 18)
    async with producer:
        for start in range(0, len(records), 2_000):
            sent = []
            for record in records[start : start + 2_000]:
                key = record.authorization_id.encode()
                topic = getattr(topics, record.topic).name
                partition = partition_for(key, PARTITIONS)
                sent.append(await producer.send(topic, record.value, key, partition, headers=list(record.headers)))
            await asyncio.gather(*sent)


async def project(settings: ProcessSettings) -> float:
    """Return the seconds that the projector takes for all records, including connecting to both servers."""
    async with open_source(settings.kafka, catalogue(settings.topics.prefix), PARTITIONS) as source:
        until = await source.ends()
    metrics = create_metrics(CollectorRegistry()).readmodel
    context = ProjectorContext(
        settings, Health(), metrics, structlog.get_logger(), asyncio.Event(), Gauge("kafka_away", "", registry=None)
    )
    began = time.perf_counter()
    await ProjectorLoop(context, until=until).run()
    return time.perf_counter() - began


def read_rows(conninfo: str, schema: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, JSON as text."""
    with psycopg.connect(conninfo) as connection:
        connection.adapters.register_loader("jsonb", psycopg.types.string.TextLoader)
        return {
            table: connection.execute(
                sql.SQL("SELECT * FROM {}.{}").format(sql.Identifier(schema), sql.Identifier(table))
            ).fetchall()
            for table in TABLES
        }


def insert(conninfo: str, schema: str, rows: dict[str, list[tuple[Any, ...]]], transactions: int) -> float:
    """Return the seconds that a bare insert of the rows takes, in this number of transactions."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema)))
        connection.commit()
        cursor = connection.cursor()
        began = time.perf_counter()
        for number in range(transactions):
            for table, whole in rows.items():
                if not whole:
                    continue
                size = -(-len(whole) // transactions)
                piece = whole[number * size : (number + 1) * size]
                placeholders = sql.SQL(", ").join(sql.Placeholder() * len(whole[0]))
                cursor.executemany(
                    sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(table), placeholders), piece
                )
            connection.commit()
        return time.perf_counter() - began


async def repeat(settings: ProcessSettings, conninfo: str, records: Sequence[SampleRecord]) -> Run:
    """Measure projector and floor once, each into its own schema."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    own = settings.model_copy(update={"readmodel": settings.readmodel.model_copy(update={"schema_name": name})})
    await asyncio.to_thread(migrate, own.readmodel)
    projector_seconds = await project(own)
    rows = await asyncio.to_thread(read_rows, conninfo, name)
    floor = f"{name}_floor"
    await asyncio.to_thread(migrate, own.readmodel, floor)
    transactions = -(-len(records) // own.readmodel.batch)
    floor_seconds = await asyncio.to_thread(insert, conninfo, floor, rows, transactions)
    events = sum(record.topic == "events" for record in records)
    return Run(len(records), events, sum(map(len, rows.values())), projector_seconds, floor_seconds)


@dataclass(frozen=True, slots=True)
class Scope:
    """The amount of work to measure."""

    authorizations: int
    repetitions: int
    batch: int


async def measure(bootstrap: str, conninfo: str, dsn: Path, scope: Scope) -> list[Run]:
    """Write the stories once, then measure repeatedly."""
    settings = ProcessSettings(
        environment="bench",
        kafka=KafkaSettings(bootstrap=tuple(bootstrap.split(","))),
        topics=TopicSettings(
            prefix=f"bench-{uuid.uuid4().hex[:8]}-", partitions=PARTITIONS, replication=1, min_insync=1
        ),
        readmodel=ReadModelSettings(dsn_file=dsn, batch=scope.batch),
    )
    records = list(sample_records(scope.authorizations))
    await fill(settings, records)
    tune_gc(GC_THRESHOLD)
    return [await repeat(settings, conninfo, records) for _ in range(scope.repetitions)]


def show(runs: list[Run], batch: int) -> None:
    """Print the medians as a table, and all repetitions as one JSON line."""
    middle = sorted(runs, key=lambda run: run.ratio)[len(runs) // 2]
    table = Table(title=f"{middle.records} records, {middle.events} events, {middle.rows} rows, batches of {batch}")
    for column in ("", "seconds", "events/s", "rows/s"):
        table.add_column(column, justify="right" if column else "left")
    for name, seconds in (("projector", middle.projector_seconds), ("bare insert", middle.floor_seconds)):
        table.add_row(name, f"{seconds:.2f}", f"{middle.events / seconds:,.0f}", f"{middle.rows / seconds:,.0f}")
    console = Console()
    console.print(table)
    ratios = [run.ratio for run in runs]
    console.print(f"ratio {statistics.median(ratios):.2f} (of {', '.join(f'{ratio:.2f}' for ratio in ratios)})")
    print(json.dumps({"ratio": statistics.median(ratios), "runs": [run_json(run) for run in runs]}))


def run_json(run: Run) -> dict[str, float]:
    """Return a repetition as JSON values."""
    return {
        "records": run.records,
        "events": run.events,
        "rows": run.rows,
        "projectorSeconds": run.projector_seconds,
        "floorSeconds": run.floor_seconds,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--authorizations", type=int, default=3_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--batch", type=int, default=ReadModelSettings.model_fields["batch"].default)
    given = parser.parse_args()
    scope = Scope(given.authorizations, given.repetitions, given.batch)
    with Cluster(long_lived=True) as cluster, Postgres() as postgres, tempfile.TemporaryDirectory() as directory:
        dsn = Path(directory) / "dsn"
        dsn.write_text(postgres.conninfo)
        runs = asyncio.run(measure(cluster.bootstrap, postgres.conninfo, dsn, scope))
    show(runs, scope.batch)


if __name__ == "__main__":
    main()
