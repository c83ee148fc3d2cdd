"""Real projector processes, killed and frozen at random moments: the rows equal those of an undisturbed projection."""

import asyncio
import random
import signal
from dataclasses import fields

import psycopg
import pytest

from adapters.postgres.tables import AUTHORIZATIONS, COMMANDS, HANDOFFS, TIMELINE
from local.installation import Installation
from local.sample_records import sample_records

KILLS = 12


@pytest.fixture
def projector(settings, run, kafka):
    """Start `gateway projector` on the test's topics and database."""
    installed = Installation(
        run,
        bootstrap=kafka,
        collate_url="http://127.0.0.1:1",
        prefix=settings.topics.prefix,
        settings={
            "GATEWAY_TOPICS__PARTITIONS": str(settings.topics.partitions),
            "GATEWAY_READMODEL__DSN_FILE": str(settings.readmodel.dsn_file),
            "GATEWAY_READMODEL__BATCH": "20",
        },
    )
    return lambda name: installed.start("projector", name)


@pytest.fixture
def read_up_to(settings):
    """Return the sum of the written offsets."""
    with psycopg.connect(settings.readmodel.dsn_file.read_text(), autocommit=True) as connection:
        statement = "SELECT coalesce(sum(next_offset), 0) FROM collate_gateway.progress"
        yield lambda: connection.execute(statement).fetchone()[0]


async def test_after_kills_the_rows_equal_those_of_a_replay(model, writer, projector, read_up_to, eventually):
    chance = random.Random(8)
    records = list(sample_records(150, seed=8))
    step = len(records) // KILLS
    kills = 0
    for number in range(KILLS):
        process = projector(f"projector-{number}").process
        await writer.write(records[number * step : (number + 1) * step])
        target = read_up_to() + chance.randrange(1, step)
        polls = chance.randrange(4)  # a random delay, so that kills hit any moment between two commits
        await eventually(lambda wanted=target: read_up_to() >= wanted, within=60)
        for _ in range(polls):
            read_up_to()
        process.kill()
        process.wait()
        kills += 1
    await writer.write(records[KILLS * step :])
    last = projector("projector-last")
    await asyncio.to_thread(last.await_ready)
    expected = await model.replayed()

    await eventually(lambda: model.rows() == expected, within=60)
    assert kills == KILLS
    assert last.stop() == 0


async def test_a_frozen_projector_that_wakes_is_rolled_back(model, writer, projector, read_up_to, eventually):
    records = list(sample_records(60, seed=9))
    zombie = projector("zombie")
    await writer.write(records[:100])
    await asyncio.to_thread(zombie.await_ready)
    zombie.process.send_signal(signal.SIGSTOP)
    successor = projector("successor")
    await writer.write(records[100:500])
    await eventually(lambda: read_up_to() >= 450, within=60)

    zombie.process.send_signal(signal.SIGCONT)
    await writer.write(records[500:])
    expected = await model.replayed()

    await eventually(lambda: model.rows() == expected, within=60)
    await eventually(lambda: "projector.batch_rolled_back" in zombie.log.read_text() + successor.log.read_text())
    assert zombie.stop() == 0
    assert successor.stop() == 0


async def test_the_tables_have_the_columns_of_the_rows(readmodel):
    with psycopg.connect(readmodel.dsn_file.read_text()) as connection:
        for table in (COMMANDS, HANDOFFS, AUTHORIZATIONS, TIMELINE):
            found = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'collate_gateway'"
                " AND table_name = %s ORDER BY ordinal_position",
                (table.name,),
            ).fetchall()
            names = [
                name for (name,) in found if name not in {"command_labels", "shown_status"}
            ]  # SQL alone writes them
            assert names == [column.name for column in fields(table.row)]
