"""The projector's loop on real servers: every record of the topics changes the tables once, despite outages."""

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle

import psycopg
import pytest

from adapters.kafka.cluster import open_cluster
from adapters.kafka.topics import apply, compare, wanted_topics
from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.rows import RowKeys
from adapters.postgres.store import StaleOffsets, Store
from consumers.projector.loop import ProjectorLoop, sweep
from consumers.projector.rebuild import work as rebuild
from local.kafka.admin import admin_of
from local.postgres import Postgres
from local.processes.patience import within
from local.sample_records import sample_records
from schemas.topics import catalogue
from tests.system.readmodel.conftest import ends, projector_process


async def test_the_tables_hold_the_topics_without_phi(model, written):
    await model.project()

    rows = model.rows()
    events = {(record.authorization_id, record.value) for record in written if record.topic == "events"}
    assert sum('"rank": 2' in row for row in rows["timeline"]) == len(events)
    assert len(rows["authorizations"]) == len(
        {one.authorization_id for one in written if one.topic == "authorizations"}
    )
    assert "PHI" not in str(rows)
    assert "sealed" in str(written)


async def test_readiness_names_the_command_that_creates_the_schema(settings, written, running, eventually):
    elsewhere = settings.model_copy(
        update={"readmodel": settings.readmodel.model_copy(update={"schema_name": "later"})}
    )
    parts = running(elsewhere)
    await eventually(lambda: "gateway migrate" in parts.health.ready().summary)

    await asyncio.to_thread(migrate, elsewhere.readmodel)

    await eventually(lambda: parts.health.component("caught-up"), within=30)
    await eventually(lambda: parts.health.ready().good, within=30)


@asynccontextmanager
async def endless_load(writer):
    """Append records without a pause: at no moment is everything written."""

    async def append():
        for record in cycle(list(sample_records(60))):
            await writer.write([record])

    appending = asyncio.create_task(append())
    try:
        yield
    finally:
        appending.cancel()
        await asyncio.wait({appending})


async def test_a_projector_gets_ready_under_a_load_that_never_pauses(settings, writer, running, eventually):
    async with endless_load(writer):
        parts = running(settings)
        await eventually(lambda: parts.health.ready().good, within=15)


async def test_a_rebuild_ends_under_a_load_that_never_pauses(model, writer):
    await writer.write(list(sample_records(5)))
    async with endless_load(writer):
        await model.project()
    assert any(model.rows().values())


async def test_the_projector_resumes_after_a_database_outage(model, writer, running, eventually):
    settings = model.settings
    with Postgres() as server:
        settings.readmodel.dsn_file.write_text(server.conninfo)
        await asyncio.to_thread(migrate, settings.readmodel)
        parts = running(settings)
        records = list(sample_records(30))
        await writer.write(records[:200])
        await eventually(lambda: parts.health.ready().good, within=30)

        await asyncio.to_thread(server.kill)
        await writer.write(records[200:])
        await eventually(lambda: parts.health.component("database").state == "waiting")
        assert not parts.health.ready().good
        assert parts.health.live().good

        await asyncio.to_thread(server.start)
        expected = await model.replayed()
        await eventually(lambda: model.rows() == expected, within=30)
        await eventually(lambda: parts.health.ready().good)


async def test_a_write_from_stale_offsets_is_rolled_back(database):
    store, key = Store(database.connection), ("events", 0)
    await store.positions({key: "id"})
    await store.write({key: (0, 5)}, RowKeys(), lambda _: None)

    def fold(_):
        raise AssertionError("fold must not be called")

    with pytest.raises(StaleOffsets):
        await store.write({key: (0, 9)}, RowKeys(), fold)
    assert (await store.positions({key: "id"}))[key] == (5, "id")


async def test_the_database_ends_a_zombie_inside_its_transaction(readmodel, database, monkeypatch):
    monkeypatch.setattr("adapters.postgres.database._IDLE_IN_TRANSACTION", "500ms")
    successor, key = Store(database.connection), ("events", 0)
    await successor.positions({key: "id"})
    async with connected(readmodel, "collate_gateway", "check database", statement_seconds=30) as zombie:
        await zombie.execute("BEGIN")
        await zombie.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema()))")
        await zombie.execute("UPDATE progress SET next_offset = 77")

        async with within(10):
            await successor.write({key: (0, 1)}, RowKeys(), lambda _: None)

        with pytest.raises(psycopg.Error):
            await zombie.execute("COMMIT")
    assert (await successor.positions({key: "id"}))[key] == (1, "id")


async def create_again(settings, name):
    wanted = wanted_topics(catalogue(settings.topics.prefix), settings.topics)
    async with admin_of(settings.kafka.bootstrap[0]) as admin:
        await admin.delete_topics([name])
    async with open_cluster(settings.kafka) as cluster:
        while name in (found := await cluster.find_topics([one.name for one in wanted])):  # noqa: ASYNC110 - Kafka's state
            await asyncio.sleep(0.1)
        await apply(cluster, wanted, compare(wanted, found))


@pytest.mark.parametrize("is_running", [False, True])
async def test_a_topic_that_was_created_again_is_not_skipped_in_part(is_running, model, writer, running, eventually):
    """The new topic is longer than the old one: each stored offset lies inside its log."""
    records = list(sample_records(30))
    await writer.write(records[:100])
    await model.project()
    before, parts = model.rows(), None
    if is_running:
        parts = running(model.settings)
        await eventually(lambda: parts.health.ready().good, within=30)
    await create_again(model.settings, catalogue(model.settings.topics.prefix).events.name)
    parts = parts or running(model.settings)
    await eventually(lambda: "was created again" in parts.health.ready().summary, within=30)
    await writer.write(records)
    assert model.rows() == before

    await rebuild(model.settings, projector_process())
    expected = await model.replayed()
    await eventually(lambda: model.rows() == expected != before, within=30)
    await eventually(lambda: parts.health.ready().good, within=30)


async def test_a_rebuild_replaces_the_rows_while_a_projector_runs(model, written, running, eventually, capfd):
    settings = model.settings
    running(settings)
    expected = await model.replayed()
    await eventually(lambda: model.rows() == expected, within=30)
    with psycopg.connect(settings.readmodel.dsn_file.read_text(), autocommit=True) as connection:
        connection.execute("UPDATE collate_gateway.commands SET status = 'broken by hand'")
        connection.execute("DELETE FROM collate_gateway.timeline")

    async with within(60):
        await rebuild(settings, projector_process())

    assert model.rows() == expected
    assert "rebuilding" in capfd.readouterr().err
    with psycopg.connect(settings.readmodel.dsn_file.read_text()) as connection:
        left = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'collate_gateway%'").fetchall()
    assert left == [("collate_gateway",)]


async def test_a_sweep_deletes_only_old_finished_rows(model, written, database, monkeypatch):
    await model.project()
    before = model.rows()
    monkeypatch.setattr("consumers.projector.loop._SWEEP_ROWS", 50)
    store = Store(database.connection)
    assert set((await sweep(store, 100 * 365 * 86_400)).values()) == {0}
    assert model.rows() == before
    deleted = await sweep(store, 0)

    after = model.rows()
    assert deleted["timeline"] == len(before["timeline"])
    assert after["timeline"] == []
    assert after["commands"] == [row for row in before["commands"] if '"status": "finished"' not in row]
    assert after["handoffs"] == [row for row in before["handoffs"] if '"closed_at": null' in row]
    assert after["authorizations"] == [
        row for row in before["authorizations"] if '"active_handoff_id": null' not in row
    ]
    assert after["commands"]
    assert after["handoffs"]


async def test_a_topic_that_ends_before_the_stored_offset_is_reported_and_not_read(model, written, running, eventually):
    settings = model.settings
    await model.project()
    with psycopg.connect(settings.readmodel.dsn_file.read_text(), autocommit=True) as connection:
        connection.execute("UPDATE collate_gateway.progress SET next_offset = 1000000 WHERE topic = 'events'")

    parts = running(settings)

    await eventually(lambda: "the read model is at 1000000" in parts.health.ready().summary)
    assert parts.health.component("caught-up").state == "failed"


async def test_a_record_that_postgresql_refuses_is_skipped_and_all_others_are_written(settings, writer, model):
    """A version of 20 digits is valid in an event, and no bigint."""
    records = list(sample_records(20))

    def with_a_large_version(place, one):
        value = re.sub(rb'("commandId":")\w{8}', rb"\g<1>0000000%d" % place, one.value)
        value = re.sub(rb',"version":\d+', b"", value)
        return replace(one, authorization_id=f"odd_{place}", value=value[:-1] + b',"version":' + b"9" * 20 + b"}")

    ends_of_commands = [one for one in records if b'"outcome":"applied"' in one.value]
    odd = [with_a_large_version(place, one) for place, one in enumerate(ends_of_commands[:2])]
    await writer.write([*records[:50], odd[0], *records[50:], odd[1]])
    process = projector_process()
    loop = ProjectorLoop(settings, process, until=await ends(settings))
    async with within(60):
        await loop.run()
    assert process.metrics.readmodel.unreadable.labels("events")._value.get() == 2
    whole = model.rows()
    assert "odd_" not in str(whole)
    assert {json.loads(row)["authorization_id"] for row in whole["authorizations"]} == {
        one.authorization_id for one in records if one.topic == "authorizations"
    }
    events = {(one.authorization_id, one.value) for one in records if one.topic == "events"}
    assert sum('"rank": 2' in row for row in whole["timeline"]) == len(events)
