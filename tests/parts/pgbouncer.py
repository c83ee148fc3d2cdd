"""PgBouncer in session mode before PostgreSQL, with the read model's tests."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from local.postgres import UNPRIVILEGED_USER, Postgres
from local.processes.patience import Patience
from local.processes.ports import free_ports
from local.processes.run import Run
from tests.parts.page import lines

ROOT = Path(__file__).parents[2]
MOST_SECONDS = 300
TESTS = ("pytest", "tests/system/readmodel", "--quiet", "--numprocesses", "2", "--dist", "loadfile")


def play() -> list[str]:
    """Return what was red."""
    (port,) = free_ports(1)
    with Postgres() as server, Run("pgbouncer") as run:
        sockets = server.conninfo.partition("host=")[2]
        text = lines("ini").replace("host=postgres.example.com", f"host={sockets} user=postgres")
        own = f"listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
        configuration = run.directory / "pgbouncer.ini"
        configuration.write_text(text + own)
        run.directory.chmod(0o755)
        user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
        run.spawn(["pgbouncer", str(configuration)], log=run.directory / "log", user=user)
        through = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        patience = Patience(10)
        while not _answers(through):
            if patience.is_over:
                return [f"it does not answer: {(run.directory / 'log').read_text()[-500:]}"]
            time.sleep(patience.pause)
        environ = os.environ | {"TEST_POSTGRES": through}
        done = subprocess.run([sys.executable, "-m", *TESTS], cwd=ROOT, env=environ, timeout=MOST_SECONDS, check=False)
    return [f"the tests ended with exit code {done.returncode}"] if done.returncode else []


def _answers(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True
