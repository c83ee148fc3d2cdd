"""A read model on real Kafka and a real PostgreSQL, and records like those of a busy gateway."""

import asyncio
import json
from datetime import datetime

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import apply, compare, wanted_topics
from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.reader import ReadModelReader
from adapters.postgres.rows import AuthorizationRow, CommandRow, HandoffRow, MinuteRow, RowKeys, TimelineRow
from adapters.postgres.store import Store
from adapters.postgres.views.lists import CommandPage
from adapters.postgres.views.work import KEYS
from consumers.projector.loop import ProjectorLoop
from local.processes.patience import within
from local.sample_records import sample_records
from runtime.health import Health
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.process import Process
from runtime.settings import KafkaSettings, ProcessSettings, ReadModelSettings, TopicSettings
from schemas.api.cursor import read_cursor
from schemas.topics import catalogue, partition_for

PARTITIONS = 3
TABLES = ("commands", "handoffs", "authorizations", "timeline", "minutes")


@pytest.fixture
async def readmodel(postgres, tmp_path):
    """The settings of a read model whose tables exist."""
    dsn = tmp_path / "dsn"
    dsn.write_text(postgres)
    settings = ReadModelSettings(dsn_file=dsn, batch=50)
    await asyncio.to_thread(migrate, settings)
    return settings


class Database:
    """Writes rows as the projector does, and reads pages."""

    def __init__(self, connection):
        self.connection = connection
        self._store, self._offset = Store(connection), 0

    async def fold(self, fold):
        """Let a function change rows in one transaction."""
        await self._store.positions({("events", 0): "id"})
        await self._store.write({("events", 0): (self._offset, self._offset + 1)}, RowKeys(), fold)
        self._offset += 1

    async def write(self, *rows):
        def fold(found):
            for row in rows:
                match row:
                    case AuthorizationRow():
                        found.authorizations[row.authorization_id] = row
                    case CommandRow():
                        found.commands[row.command_id] = row
                    case HandoffRow():
                        found.handoffs[row.authorization_id, row.handoff_id] = row
                    case TimelineRow():
                        found.timeline.append(row)
                    case MinuteRow():
                        found.minutes[row.minute] = row

        await self.fold(fold)

    async def ids(self, page):
        """Return the ids of a page, and the key after which the next one starts."""
        found = await page(self.connection)
        if isinstance(page, CommandPage):
            ids, key = [int(one.command_id[:8]) for one in found.commands], (datetime, str)
        else:
            ids, key = [one.authorization_id for one in found.authorizations], KEYS[page.query.order].values()
        return ids, None if found.next is None else read_cursor(found.next, *key)

    async def all(self, page):
        return (await self.ids(page))[0]


@pytest.fixture
async def database(readmodel):
    async with connected(readmodel, readmodel.schema_name, "check database", statement_seconds=10) as connection:
        yield Database(connection)


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
async def reader(readmodel, registry):
    """A reader of the read model; its metrics are in `registry`."""
    reader = ReadModelReader(readmodel, Metrics(registry).readmodel, get_log())
    task = asyncio.create_task(reader.run())
    yield reader
    task.cancel()


@pytest.fixture
async def settings(kafka, prefix, readmodel):
    """The settings of a projector whose topics and tables exist."""
    settings = ProcessSettings(
        environment="test",
        kafka=KafkaSettings(bootstrap=tuple(kafka.split(","))),
        topics=TopicSettings(prefix=prefix, partitions=PARTITIONS, replication=1, min_insync=1),
        readmodel=readmodel,
    )
    wanted = wanted_topics(catalogue(prefix), settings.topics)
    async with open_cluster(settings.kafka) as cluster:
        await apply(cluster, wanted, compare(wanted, {}))
    return settings


class Writer:
    """Appends the records of a story in transactions, like the worker."""

    def __init__(self, settings):
        self._topics = catalogue(settings.topics.prefix)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=list(settings.kafka.bootstrap), transactional_id=f"{settings.topics.prefix}story"
        )
        self.count = 0

    async def __aenter__(self):
        await self._producer.start()
        return self

    async def __aexit__(self, *_):
        await self._producer.stop()

    async def write(self, records, at_once=40):
        records = list(records)
        for start in range(0, len(records), at_once):
            async with self._producer.transaction():
                for record in records[start : start + at_once]:
                    key = record.authorization_id.encode()
                    topic = getattr(self._topics, record.topic).name
                    await self._producer.send(
                        topic, record.value, key, partition_for(key, PARTITIONS), headers=list(record.headers)
                    )
        self.count += len(records)


@pytest.fixture
async def writer(settings):
    async with Writer(settings) as writer:
        yield writer


@pytest.fixture
async def written(writer):
    """The records of 60 authorizations, written to the topics."""
    records = list(sample_records(60))
    await writer.write(records)
    return records


def projector_process():
    registry = CollectorRegistry()
    return Process("projector", Health(), Metrics(registry), registry, get_log())


async def ends(settings):
    from consumers.projector.source import open_source  # noqa: PLC0415 - beside its only use

    async with open_source(settings.kafka, catalogue(settings.topics.prefix), PARTITIONS) as source:
        return await source.ends()


def rows(settings, schema=None):
    """Return all rows of all tables, sorted."""
    with psycopg.connect(settings.readmodel.dsn_file.read_text()) as connection:
        return {
            table: [
                json.dumps(row[0], sort_keys=True)
                for row in connection.execute(
                    f"SELECT to_jsonb(t) FROM {schema or settings.readmodel.schema_name}.{table} t"
                    " ORDER BY to_jsonb(t)::text"
                )
            ]
            for table in TABLES
        }


class Model:
    """The read model of one set of settings, and a replay of it for comparison."""

    def __init__(self, settings):
        self.settings = settings

    async def project(self, schema=None, settings=None):
        """Project until everything that the topics hold now is written."""
        loop = ProjectorLoop(
            settings or self.settings, projector_process(), schema=schema, until=await ends(self.settings)
        )
        async with within(60):
            await loop.run()

    def rows(self, schema=None):
        return rows(self.settings, schema)

    async def replayed(self, settings=None):
        """Return the rows of one undisturbed projection from the beginning."""
        await asyncio.to_thread(migrate, self.settings.readmodel, "replayed")
        await self.project("replayed", settings)
        return self.rows("replayed")


@pytest.fixture
def model(settings):
    return Model(settings)


@pytest.fixture
async def running():
    """Start loops that run until the test ends; returns their processes."""
    started = []

    def start(settings):
        process = projector_process()
        started.append((process.stop, asyncio.create_task(ProjectorLoop(settings, process).run())))
        return process

    yield start
    for stop, task in started:
        stop.set()
        async with within(30):
            await task
