"""docs/operations.md, "A disk is full": the database's, then the broker's. A limit of file sizes stands for it."""

import asyncio
import contextlib
import resource

import psycopg
import pytest

from local.event_listener import listening
from local.installation import PARTITIONS, http_here
from local.judge.evidence import PastStates
from local.judge.verdict import Judge
from local.postgres import Postgres
from local.scene.callers import Callers, write_callers
from local.scene.settings import READINGS, SETTINGS

PREFIX = "full."
SEGMENT_BYTES = 16 << 20
ROOM_BYTES = 1 << 20


def fill_broker(cluster):
    """Make every further write of the broker fail."""
    resource.prlimit(cluster._processes[0].pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


def room_kib(conninfo):
    """Return a size of files with which the server can write one more megabyte of its log."""
    with psycopg.connect(conninfo) as connection:
        (written,) = connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").fetchone()
    return (written % SEGMENT_BYTES + ROOM_BYTES) >> 10


def fill_database(conninfo):
    """Write until the server cannot write its log any more, which ends it."""
    with contextlib.suppress(psycopg.Error), psycopg.connect(conninfo, autocommit=True) as connection:
        for _ in range(5):
            connection.execute("SELECT pg_logical_emit_message(false, 'full', repeat('x', 1000000))")


def metric(program, name):
    with http_here() as http:
        text = http.get(f"{program.admin_url}/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@pytest.fixture
def own_database():
    with Postgres() as database:
        yield database


async def test_a_full_disk_of_the_database_and_of_the_broker_lose_no_command(
    install, run, kafka1, own_database, *, collate, start, eventually
):
    collate.use("v2", **READINGS)
    keys = write_callers(run.directory / "services.toml")
    settings = SETTINGS | {"GATEWAY_INGRESS__CALLERS_FILE": str(run.directory / "services.toml")}
    database = own_database.conninfo
    installed = await install(kafka1.bootstrap, prefix=PREFIX, database=database, settings=settings)
    _, ingress, projector = [await start(installed, verb) for verb in ("worker", "ingress", "projector")]
    past, callers = PastStates(collate), Callers(collate, [ingress.url], keys, seed=5)
    async with listening(kafka1.bootstrap, PREFIX, callers.on_event) as listener, listener.in_background():
        load = asyncio.create_task(callers.run_until(float("inf"), 2.0))

        # The database's disk is full: commands continue, and the read model follows when there is room again.
        await eventually(lambda: len(callers.ended) > 5)
        room = await asyncio.to_thread(room_kib, own_database.conninfo)
        await asyncio.to_thread(own_database.kill)
        await asyncio.to_thread(own_database.start, room)
        await asyncio.to_thread(fill_database, own_database.conninfo)
        await eventually(lambda: metric(projector, "collate_gateway_database_away") == 1, within=60)
        ended = len(callers.ended)
        await eventually(lambda: len(callers.ended) > ended)
        await asyncio.to_thread(own_database.kill)
        await asyncio.to_thread(own_database.start)
        await eventually(lambda: metric(projector, "collate_gateway_database_away") == 0, within=60)

        # The broker's disk is full: the broker ends. Callers get 503 and repeat; nothing that got 202 is lost.
        fill_broker(kafka1)
        await eventually(lambda: not kafka1.is_running(0), within=60)
        await asyncio.to_thread(kafka1.start, 0)
        accepted = len(callers.accepted)
        await eventually(lambda: len(callers.accepted) > accepted, within=60)
        callers.stop()
        await asyncio.wait({load}, timeout=20)
        _, broken = await Judge(kafka1.bootstrap, PREFIX, PARTITIONS, collate, past, callers, installed.phi_keys).judge(
            60
        )
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
    await callers.close()
    assert broken == []
    await eventually(lambda: metric(projector, "collate_gateway_projector_lag") == 0)
