"""A PostgreSQL that accepts connections and answers nothing: every call ends, and the processes say so."""

import signal
from contextlib import suppress

import psutil
import pytest

from adapters.postgres.database import DatabaseAway, connected
from adapters.postgres.migrate import migrate
from adapters.postgres.reader import ReadModelBusy
from adapters.postgres.views.overview import overview
from consumers.projector import loop
from local.postgres import Postgres
from local.processes.patience import within
from local.sample_records import sample_records
from runtime.settings import ReadModelSettings


@pytest.fixture(scope="module")
def started():
    """A server of its own whose processes can all be stopped."""

    class Hanging(Postgres):
        def signal(self, number):
            parent = psutil.Process(self._process.pid)
            for process in (parent, *parent.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):  # a backend may end when it continues
                    process.send_signal(number)

    with Hanging() as started:
        yield started


@pytest.fixture
def server(started):
    yield started
    started.signal(signal.SIGCONT)


@pytest.fixture
def readmodel(server, tmp_path):
    (tmp_path / "hung").write_text(server.conninfo)
    settings = ReadModelSettings(dsn_file=tmp_path / "hung")
    migrate(settings)
    return settings


async def answered(reader):
    try:
        return await reader.fetch("overview", overview, "desk")
    except DatabaseAway:
        return None


async def test_a_statement_on_a_hung_server_ends(server, readmodel):
    async def hang():
        async with connected(readmodel, "collate_gateway", "check database", statement_seconds=1) as connection:
            server.signal(signal.SIGSTOP)
            await connection.execute("SELECT 1")

    with pytest.raises(DatabaseAway, match="does not respond in time"):
        async with within(30):
            await hang()


async def test_a_read_from_a_hung_server_ends_with_its_time_limit(server, reader, eventually):
    """The limit is two seconds. psycopg alone would try for ten more to cancel the statement at the server."""
    await eventually(lambda: answered(reader), within=20)
    server.signal(signal.SIGSTOP)
    async with within(6):
        with pytest.raises((ReadModelBusy, DatabaseAway)):
            await reader.fetch("overview", overview, "desk")


async def test_a_projector_reports_a_hung_server_and_resumes(
    server, settings, writer, running, *, eventually, monkeypatch
):
    monkeypatch.setattr(loop, "_STATEMENT_SECONDS", 1.0)
    parts = running(settings)
    records = list(sample_records(20))
    await writer.write(records[:100])
    await eventually(lambda: parts.health.ready().good, within=30)
    server.signal(signal.SIGSTOP)
    await writer.write(records[100:])
    await eventually(lambda: parts.health.component("database").state == "waiting", within=40)
    server.signal(signal.SIGCONT)
    await eventually(lambda: parts.health.ready().good, within=40)
