"""A schema that a newer version has migrated: older processes continue, unless the migration says that they cannot."""

import asyncio
import json

import psycopg
import pytest

from adapters.postgres.database import DatabaseAway, NotMigrated
from adapters.postgres.migrate import migrate
from adapters.postgres.schema_version import HEAD
from adapters.postgres.views.overview import overview

# What a later version's migration does.
NEWER = f"""
SET search_path TO collate_gateway;
ALTER TABLE commands ADD COLUMN later text;
UPDATE schema_version SET version_num = '9998';
UPDATE schema_reader SET revision = '{HEAD}';
"""


def run_sql(readmodel, *statements):
    with psycopg.connect(readmodel.dsn_file.read_text(), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


async def found_or_problem(reader, *raised):
    """Return the overview, or why there is none; None for an exception of these classes."""
    try:
        return await reader.fetch("overview", overview, "desk")
    except raised:
        return None
    except (DatabaseAway, NotMigrated) as problem:
        return problem


async def test_processes_go_on_with_a_newer_schema_that_fits_them(readmodel, model, written, reader, eventually):
    run_sql(readmodel, NEWER)
    assert (await eventually(lambda: found_or_problem(reader, DatabaseAway))).active_handoffs == 0
    await model.project()
    rows = model.rows()
    assert all(json.loads(row)["later"] is None for row in rows["commands"])
    assert rows["commands"]
    assert (await reader.fetch("overview", overview, "desk")).unfinished
    migrated = await asyncio.to_thread(migrate, readmodel)
    assert migrated == ("9998", "9998"), "a roll-back runs the older version's migration and changes nothing"


async def test_processes_refuse_a_newer_schema_that_does_not_fit_them(readmodel, reader, eventually):
    run_sql(readmodel, NEWER, "UPDATE collate_gateway.schema_reader SET revision = '9998'")
    problem = "the schema is at revision 9998, which needs a version of 9998 or newer"

    async def is_refused():
        found = await found_or_problem(reader)
        return problem in str(found)

    await eventually(is_refused)
    with pytest.raises(NotMigrated, match=problem):
        await asyncio.to_thread(migrate, readmodel)


async def test_a_schema_of_before_the_first_release_is_refused_with_what_to_do(readmodel):
    run_sql(readmodel, "UPDATE collate_gateway.schema_version SET version_num = '0001'")
    with pytest.raises(NotMigrated, match='DROP SCHEMA "collate_gateway" CASCADE`, then `gateway migrate` again'):
        await asyncio.to_thread(migrate, readmodel)


async def test_of_two_migrations_at_a_time_one_waits_for_the_other(readmodel):
    migrated = await asyncio.gather(*(asyncio.to_thread(migrate, readmodel, "twice") for _ in range(2)))
    assert sorted(migrated, key=str) == [(HEAD, HEAD), (None, HEAD)]
