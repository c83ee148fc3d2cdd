"""Connections to PostgreSQL from settings, each with a schema and time limits.

Each connection reads the connection string from its file, so a rotated password needs no restart. Error messages never
contain the string: they name host, database and user at most.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

import psycopg
from psycopg import AsyncConnection, BaseConnection
from psycopg.abc import PQGenConn
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runtime.exits import StartupError
from runtime.settings import ReadModelSettings, read_secret

CONNECT_SECONDS = 5
# PostgreSQL ends a statement after its time limit. A server that hangs does not, so the client gives up a little later.
_RESPONSE_MARGIN_SECONDS = 5.0
# A zombie that is frozen inside a transaction holds locks that its successor needs.
_IDLE_IN_TRANSACTION = "10s"
_LOCK = "15s"

_FAILURES = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
_NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedColumn)


# The names of the connections, after the process and its part, as PostgreSQL's `application_name` shows them.
Part = Literal[
    "ingress reads",
    "projector writes",
    "projector people",
    "projector rebuild",
    "migrate schema",
    "check database",
]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
# A projector and a rebuild beside it with two connections each, `gateway migrate`, and `gateway check`.
_OTHER_CONNECTIONS = 6
# `max_connections` less this number is what programs may use; administrators need the rest.
_FOR_ADMINISTRATORS = 10


class DatabaseAway(Exception):
    """PostgreSQL is unreachable or rejects the connection; the message names the host and the reason."""


class NotMigrated(Exception):
    """The schema is not at this version's revision; `gateway migrate` must run."""


class ConnectionStringRefused(StartupError):
    """The connection string is missing or invalid."""

    title = "connection string"


def conninfo_of(settings: ReadModelSettings, part: Part) -> str:
    """Read the connection string; raises ConnectionStringRefused. `part` ends the connection's application_name."""
    path = settings.dsn_file
    if path is None:
        raise ConnectionStringRefused(["GATEWAY_READMODEL__DSN_FILE is not set"])
    parts = _checked(path)
    return make_conninfo(**{**parts, "application_name": f"{parts['application_name']} {part}"})


def _checked(path: Path) -> dict[str, Any]:
    try:
        parts = conninfo_to_dict(read_secret(path).get_secret_value())
    except psycopg.ProgrammingError:
        # libpq's message quotes the string, including the password.
        raise ConnectionStringRefused(
            [f"{path}: expected one connection string such as postgresql://user:password@host:5432/database"]
        ) from None
    except OSError as error:
        raise ConnectionStringRefused([f"{path}: {(error.strerror or 'unreadable').lower()}"]) from None
    return {**_TIMEOUTS, **{name: value for name, value in parts.items() if value is not None}}


# A server that vanishes without closing the connection is detected within 30 s.
_TIMEOUTS: Mapping[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "collate-gateway",
}


_attempt: ContextVar[ExitStack] = ContextVar("_attempt")


@contextmanager
def closing_failed_attempts() -> Iterator[None]:
    """Close the sockets of the attempts to connect that fail inside the block.

    psycopg keeps the generator of an attempt in a frame that its exception refers to, so the socket would stay open
    until the garbage collector runs. PostgreSQL counts each such socket.
    """
    with ExitStack() as attempt:
        token = _attempt.set(attempt)
        try:
            yield
        finally:
            _attempt.reset(token)


class ClosedAttempts(BaseConnection[Any]):
    """A connection whose `connect` must run in `closing_failed_attempts`."""

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> PQGenConn[Self]:
        attempt = _attempt.get()
        attempt.close()  # the attempt at the address before
        generator = super()._connect_gen(conninfo)
        attempt.callback(generator.close)
        return generator


class BoundedConnection(ClosedAttempts, AsyncConnection[Any]):
    """A connection on which no call waits longer than the time limit of a statement, also if the server hangs.

    Every call of psycopg waits in `wait`. When a wait is cancelled, psycopg asks the server to cancel the statement and
    waits up to 10 s for it. A server that hangs does neither, so `cancel_safe` closes the socket instead: every wait
    ends at once, and the statement ends at the server after its own time limit.
    """

    _statement_seconds = float(CONNECT_SECONDS)

    @classmethod
    async def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """Connect to the first address that accepts."""
        with closing_failed_attempts():
            return await super().connect(conninfo, **options)

    async def wait(self, *args: Any, **options: Any) -> Any:
        """Wait for the server. Raises TimeoutError."""
        async with asyncio.timeout(self._statement_seconds + _RESPONSE_MARGIN_SECONDS):
            return await super().wait(*args, **options)

    async def cancel_safe(self, *, timeout: float = 30.0) -> None:
        """Close the socket of a statement in progress; psycopg calls this when a wait is cancelled."""
        del timeout
        with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(self.pgconn.socket)) as own:
            own.shutdown(socket.SHUT_RDWR)

    async def prepare(self, schema: str, statement_seconds: float) -> None:
        """Set the schema and the time limits of the session."""
        settings = {
            "search_path": schema,
            "statement_timeout": f"{round(statement_seconds * 1_000)}ms",
            "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
            "lock_timeout": _LOCK,
            "timezone": "UTC",
        }
        for name, value in settings.items():
            await self.execute("SELECT set_config(%s, %s, false)", (name, value))
        self._statement_seconds = statement_seconds


@asynccontextmanager
async def connected(
    settings: ReadModelSettings, schema: str, part: Part, *, statement_seconds: float
) -> AsyncIterator[AsyncConnection[Any]]:
    """Open one connection in autocommit mode. Raises DatabaseAway and NotMigrated, also for errors inside the block."""
    with translated():
        connection = await BoundedConnection.connect(conninfo_of(settings, part), autocommit=True)
        try:
            await connection.prepare(schema, statement_seconds)
            yield connection
        finally:
            await connection.close()


def most_connections(settings: ReadModelSettings, ingresses: int) -> int:
    """Return the maximum number of connections of all processes together, with so many of ingress."""
    return ingresses * settings.connections + _OTHER_CONNECTIONS


async def allowed_connections(connection: AsyncConnection[Any]) -> int:
    """Return the number of connections that the server allows to programs."""
    row = await (await connection.execute("SELECT current_setting('max_connections')::int")).fetchone()
    return int(row[0]) - _FOR_ADMINISTRATORS if row else 0


async def open_connections(connection: AsyncConnection[Any]) -> dict[str, int]:
    """Return the number of the server's connections by part; "other" has those of other programs."""
    # The type of another role's session is hidden.
    rows = await connection.execute(
        "SELECT application_name, count(*) FROM pg_stat_activity WHERE datid IS NOT NULL"
        " AND coalesce(backend_type, 'client backend') = 'client backend' GROUP BY 1"
    )
    found = dict.fromkeys((*PARTS, "other"), 0)
    async for name, count in rows:
        found[next((part for part in PARTS if (name or "").endswith(f" {part}")), "other")] += count
    return found


@contextmanager
def translated() -> Iterator[None]:
    """Translate psycopg's errors to DatabaseAway and NotMigrated; errors in SQL or data stay as they are."""
    try:
        yield
    except _NOT_MIGRATED as error:
        raise NotMigrated("the schema's tables are missing or of another version; run `gateway migrate`") from error
    except TimeoutError as error:
        raise DatabaseAway("the server does not respond in time") from error
    except (*_FAILURES, ConnectionStringRefused) as error:
        raise DatabaseAway(_first_line(error)) from error


def _first_line(error: BaseException) -> str:
    """Return the first line of an error message; libpq adds hints below it."""
    if isinstance(error, ConnectionStringRefused):
        return error.problems[0]
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
