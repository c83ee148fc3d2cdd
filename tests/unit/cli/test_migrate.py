import threading

import pytest
from typer.testing import CliRunner

from adapters.postgres import migrate
from adapters.postgres.database import DatabaseAway
from gateway.cli.app import app
from runtime.exits import Exit


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run `gateway migrate` with other work than a migration."""
    (tmp_path / "dsn").write_text("postgresql://127.0.0.1:1/none")

    def run(work, *options):
        monkeypatch.setattr(migrate, "migrate", lambda _: work())
        environ = {
            "GATEWAY_ENVIRONMENT": "test",
            "GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:1",
            "GATEWAY_READMODEL__DSN_FILE": str(tmp_path / "dsn"),
        }
        return CliRunner().invoke(app, ["migrate", *options], env=environ)

    return run


def test_a_migration_that_does_not_end_is_given_up(run):
    ended = threading.Event()
    result = run(ended.wait, "--seconds", "0.05")
    ended.set()
    assert result.exit_code == Exit.UNAVAILABLE
    assert "no end within 0.05 s" in result.output
    assert "pg_stat_activity" in result.output


def test_the_result_and_the_failures_of_a_migration_are_shown(run):
    def away():
        raise DatabaseAway("expected a server")

    result = run(lambda: (None, "0002"))
    assert (result.exit_code, result.output) == (0, "Schema collate_gateway is at 0002; before: no tables.\n")
    result = run(away)
    assert (result.exit_code, result.output) == (Exit.UNAVAILABLE, "gateway migrate: expected a server\n")
