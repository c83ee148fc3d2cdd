"""The results of `gateway check` for PostgreSQL."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.postgres.migrate import migrate
from cli.check.database import check_database
from runtime.exits import Exit
from runtime.settings import ReadModelSettings


@pytest.fixture
def check(tmp_path):
    dsn = tmp_path / "dsn"

    async def check(conninfo, ingresses=1, **settings):
        dsn.write_text(conninfo)
        results = [result async for result in check_database(ReadModelSettings(dsn_file=dsn, **settings), ingresses)]
        assert [result.subject for result in results] == ["database", "database connections"][: len(results)]
        return results[-1]

    return check


async def test_missing_tables_fail_and_migrated_tables_are_ok(check, postgres, tmp_path):
    missing = await check(postgres)
    assert (missing.state, missing.code) == ("FAILED", Exit.CONFIG)
    assert "gateway migrate" in missing.detail
    migrate(ReadModelSettings(dsn_file=tmp_path / "dsn"))
    assert (await check(postgres)).state == "ok"


async def test_a_rejected_login_differs_from_an_unreachable_server(check, postgres):
    rejected = await check(make_conninfo(postgres, user="nobody-here", password="planted-secret"))
    assert (rejected.state, rejected.code) == ("FAILED", Exit.DENIED)
    assert "planted-secret" not in rejected.detail
    away = await check("postgresql://gateway:planted-secret@127.0.0.1:1/gateway")
    assert (away.state, away.code) == ("FAILED", Exit.UNAVAILABLE)
    assert "planted-secret" not in away.detail


async def test_an_invalid_connection_string_is_rejected_and_not_shown(check):
    wrong = await check("planted secret")
    assert (wrong.state, wrong.code) == ("FAILED", Exit.CONFIG)
    assert "planted" not in wrong.detail


async def test_the_bounds_of_all_processes_stay_ten_below_the_servers(check, postgres, tmp_path):
    (tmp_path / "dsn").write_text(postgres)
    migrate(ReadModelSettings(dsn_file=tmp_path / "dsn"))
    with psycopg.connect(postgres) as connection:
        allowed = int(connection.execute("SHOW max_connections").fetchone()[0]) - 10
    others = 6
    with psycopg.connect(postgres), psycopg.connect(postgres):
        fits = await check(postgres, connections=1, ingresses=allowed - others)
    known, _, count = fits.detail.partition("; ")
    assert (fits.state, known) == ("ok", f"{allowed} at most, and the server allows {allowed}")
    assert int(count.removesuffix(" are open")) >= 3, "that of the check too"
    full = await check(postgres, connections=1, ingresses=allowed - others + 1)
    assert (full.state, full.code) == ("FAILED", Exit.CONFIG)
    assert f"{allowed + 1} at most" in full.detail
