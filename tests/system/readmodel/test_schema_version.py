"""A schema that a newer version has migrated: older processes continue, unless the migration says that they cannot."""

import asyncio
import json

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from adapters.postgres.database import DatabaseAway, NotMigrated
from adapters.postgres.migrate import migrate
from adapters.postgres.reader import ReadModelReader
from adapters.postgres.schema_version import HEAD
from adapters.postgres.views.overview import overview
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.settings import ReadModelSettings

# What a later version's migration does.
NEWER = f"""
SET search_path TO collate_gateway;
ALTER TABLE commands ADD COLUMN later text;
UPDATE schema_version SET version_num = '9998';
UPDATE schema_reader SET revision = '{HEAD}';
"""


def run_sql(settings, *statements):
    with psycopg.connect(settings.readmodel.dsn_file.read_text(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
async def reader(settings):
    reader = ReadModelReader(settings.readmodel, Metrics(CollectorRegistry()).readmodel, get_log())
    task = asyncio.create_task(reader.run())
    yield reader
    task.cancel()


async def found_or_problem(reader, *raised):
    """Return the overview, or why there is none; None for an exception of these classes."""
    try:
        return await reader.fetch("overview", overview, "desk")
    except raised:
        return None
    except (DatabaseAway, NotMigrated) as problem:
        return problem


async def test_processes_go_on_with_a_newer_schema_that_fits_them(settings, model, written, reader, eventually):
    run_sql(settings, NEWER)
    assert (await eventually(lambda: found_or_problem(reader, DatabaseAway))).active_handoffs == 0
    await model.project()
    rows = model.rows()
    assert all(json.loads(row)["later"] is None for row in rows["commands"])
    assert rows["commands"]
    assert (await reader.fetch("overview", overview, "desk")).unfinished
    migrated = await asyncio.to_thread(migrate, settings.readmodel)
    assert migrated == ("9998", "9998"), "a roll-back runs the older version's migration and changes nothing"


async def test_processes_refuse_a_newer_schema_that_does_not_fit_them(settings, reader, eventually):
    run_sql(settings, NEWER, "UPDATE collate_gateway.schema_reader SET revision = '9998'")
    problem = "the schema is at revision 9998, which needs a version of 9998 or newer"

    async def is_refused():
        found = await found_or_problem(reader)
        return problem in str(found)

    await eventually(is_refused)
    with pytest.raises(NotMigrated, match=problem):
        await asyncio.to_thread(migrate, settings.readmodel)


async def test_a_schema_of_before_the_first_release_is_refused_with_what_to_do(settings):
    run_sql(settings, "UPDATE collate_gateway.schema_version SET version_num = '0001'")
    with pytest.raises(NotMigrated, match='DROP SCHEMA "collate_gateway" CASCADE`, then `gateway migrate` again'):
        await asyncio.to_thread(migrate, settings.readmodel)


async def test_of_two_migrations_at_a_time_one_waits_for_the_other(postgres, tmp_path):
    dsn = tmp_path / "dsn"
    dsn.write_text(postgres)
    settings = ReadModelSettings(dsn_file=dsn)
    migrated = await asyncio.gather(*(asyncio.to_thread(migrate, settings, "twice") for _ in range(2)))
    assert sorted(migrated, key=str) == [(HEAD, HEAD), (None, HEAD)]
