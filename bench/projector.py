"""`python -m bench.projector`: compares the projector with a bare psycopg insert of the same rows; medians of one run.

Before that it measures the processor time of a command with a read model, at a steady rate.

The floor inserts the final rows with executemany, in as many transactions: no Kafka, no reading, no folding, and each
row once. The projector reads the topics, loads the rows that it changes, and saves them with its offsets.
"""

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry
from psycopg import sql

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import apply, compare, wanted_topics
from adapters.postgres.migrate import migrate
from bench.chain import latency_of_gateway
from bench.harness import append, in_turn, listed, median, medians, options, row, show
from bench.installed import PARTITIONS, record_of
from consumers.projector.loop import GC_THRESHOLD, ProjectorLoop
from consumers.projector.source import open_source
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.sample_records import SampleRecord, sample_records
from runtime.gc import tune_gc
from runtime.health import Health
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.process import Process
from runtime.settings import KafkaSettings, ProcessSettings, ReadModelSettings, TopicSettings
from schemas.topics import catalogue

TABLES = ("commands", "handoffs", "authorizations", "timeline", "minutes")


@dataclass(frozen=True, slots=True)
class Run:
    """One repetition: the rows, and the seconds of the projector and of the floor."""

    rows: int
    projector: float
    floor: float


async def fill(settings: ProcessSettings, records: Sequence[SampleRecord]) -> None:
    """Create the topics and write the records."""
    topics = catalogue(settings.topics.prefix)
    wanted = wanted_topics(topics, settings.topics)
    async with open_cluster(settings.kafka) as cluster:
        await apply(cluster, wanted, compare(wanted, {}))
    for name in dict.fromkeys(record.topic for record in records):
        given = (
            record_of(one.authorization_id, one.value, one.headers, PARTITIONS) for one in records if one.topic == name
        )
        await append(settings.kafka.bootstrap[0], getattr(topics, name).name, given)


async def project(settings: ProcessSettings) -> float:
    """Return the seconds that the projector takes for all records, including connecting to both servers."""
    async with open_source(settings.kafka, catalogue(settings.topics.prefix), PARTITIONS) as source:
        until = await source.ends()
    registry = CollectorRegistry()
    process = Process("projector", Health(), Metrics(registry), registry, get_log())
    began = time.perf_counter()
    await ProjectorLoop(settings, process, until=until).run()
    return time.perf_counter() - began


def read_rows(conninfo: str, schema: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, JSON as text."""
    with psycopg.connect(conninfo) as connection:
        connection.adapters.register_loader("jsonb", psycopg.types.string.TextLoader)
        return {
            table: connection.execute(
                sql.SQL("SELECT {} FROM {}").format(_columns(connection, schema, table), sql.Identifier(schema, table))
            ).fetchall()
            for table in TABLES
        }


def _columns(connection: psycopg.Connection[Any], schema: str, table: str) -> sql.Composed:
    """Return the names of the columns that PostgreSQL does not generate."""
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE (table_schema, table_name, is_generated) = (%s, %s, 'NEVER') ORDER BY ordinal_position",
        (schema, table),
    )
    return sql.SQL(", ").join(sql.Identifier(name) for (name,) in found)


def insert(conninfo: str, schema: str, rows: dict[str, list[tuple[Any, ...]]], transactions: int) -> float:
    """Return the seconds that a bare insert of the rows takes, in this number of transactions."""
    with psycopg.connect(conninfo) as connection:
        cursor, began = connection.cursor(), time.perf_counter()
        for number in range(transactions):
            for table, whole in rows.items():
                size = -(-len(whole) // transactions)
                if piece := whole[number * size : (number + 1) * size]:
                    cells = sql.SQL(", ").join(sql.Placeholder() * len(piece[0]))
                    cursor.executemany(
                        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                            sql.Identifier(schema, table), _columns(connection, schema, table), cells
                        ),
                        piece,
                    )
            connection.commit()
        return time.perf_counter() - began


async def repeat(settings: ProcessSettings, conninfo: str, records: int) -> Run:
    """Measure projector and floor once, each into its own schema."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    floor = f"{name}_floor"
    own = settings.model_copy(update={"readmodel": settings.readmodel.model_copy(update={"schema_name": name})})
    await asyncio.to_thread(migrate, own.readmodel)
    await asyncio.to_thread(migrate, own.readmodel, floor)
    seconds = await project(own)
    rows = await asyncio.to_thread(read_rows, conninfo, name)
    transactions = -(-records // own.readmodel.batch)
    return Run(
        sum(map(len, rows.values())), seconds, await asyncio.to_thread(insert, conninfo, floor, rows, transactions)
    )


async def _main(given: argparse.Namespace) -> None:
    with Cluster(long_lived=True) as cluster, Postgres() as postgres, tempfile.TemporaryDirectory() as directory:
        dsn = Path(directory) / "dsn"
        dsn.write_text(postgres.conninfo)
        settings = ProcessSettings(
            environment="bench",
            kafka=KafkaSettings(bootstrap=(cluster.bootstrap,)),
            topics=TopicSettings(prefix="bench-", partitions=PARTITIONS, replication=1, min_insync=1),
            readmodel=ReadModelSettings(dsn_file=dsn, batch=given.batch),
        )
        beside = partial(latency_of_gateway, cluster.bootstrap, given.rate, given.seconds, database=postgres.conninfo)
        steady = (await in_turn({"beside": beside}, given.repetitions))["beside"]
        spent = medians([one.processor for one in steady])
        row(
            f"a command at {given.rate:.0f}/s with a read model",
            f"{sum(spent.values()):.2f} ms of processor time: "
            f"{listed({name: spent[name] for name in ('projector', 'worker', 'ingress', 'Kafka')})}",
        )
        records = list(sample_records(given.authorizations))
        await fill(settings, records)
        tune_gc(GC_THRESHOLD)
        run = partial(repeat, settings, postgres.conninfo, len(records))
        runs = (await in_turn({"projector": run}, given.repetitions))["projector"]
    show(
        f"{len(records):,} records, {runs[0].rows:,} rows, batches of {given.batch} (medians)",
        ("subject", "seconds", "rows/s"),
        (
            (name, f"{seconds:.2f}", f"{runs[0].rows / seconds:,.0f}")
            for name, seconds in (
                ("projector", median(runs, lambda one: one.projector)),
                ("bare insert", median(runs, lambda one: one.floor)),
            )
        ),
    )
    ratio = median(runs, lambda one: one.floor / one.projector)
    row(
        "a new read model",
        f"{runs[0].rows / median(runs, lambda one: one.projector):,.0f} rows/s, {ratio:.2f} × a bare insert of them",
    )


if __name__ == "__main__":
    asyncio.run(
        _main(
            options(
                __doc__,
                authorizations=(3_000, "authorizations with a story each"),
                rate=(200.0, "commands per second of the steady part"),
                seconds=(15.0, "seconds of the steady part"),
                repetitions=(3, "repetitions"),
                batch=(ReadModelSettings.model_fields["batch"].default, "records of a transaction"),
            )
        )
    )
