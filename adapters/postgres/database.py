"""Connections to PostgreSQL, made from settings: where, in which schema, and how long anything may take.

The connection string is read from its file at each connection, so that a rotated password needs no restart. It is
never shown: what a failure says names host, database and user at most.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runtime.exits import StartupError
from runtime.settings import ReadModelSettings, read_secret

CONNECT_SECONDS = 5
# A zombie that was stopped inside a transaction holds locks that its successor needs.
_IDLE_IN_TRANSACTION = "10s"
_LOCK = "15s"

_FAILURES = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
_NOT_MIGRATED = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedColumn)


class DatabaseAway(Exception):
    """PostgreSQL can't be used right now; the message says where and why."""


class NotMigrated(Exception):
    """The schema is not the one that this version of us knows: `gateway migrate` has to run."""


class ConnectionStringRefused(StartupError):
    """The connection string can't be used."""

    title = "connection string"


def conninfo_of(settings: ReadModelSettings) -> str:
    """Read the connection string; raises ConnectionStringRefused."""
    path = settings.dsn_file
    if path is None:
        raise ConnectionStringRefused(["GATEWAY_READMODEL__DSN_FILE is not set"])
    return _checked(path)


def _checked(path: Path) -> str:
    try:
        parts = conninfo_to_dict(read_secret(path).get_secret_value())
    except psycopg.ProgrammingError:
        # libpq's own words quote the string, password included.
        raise ConnectionStringRefused(
            [f"{path}: expected one connection string such as postgresql://user:password@host:5432/database"]
        ) from None
    except OSError as error:
        raise ConnectionStringRefused([f"{path}: {(error.strerror or 'unreadable').lower()}"]) from None
    return make_conninfo(**{**_PATIENCE, **{name: value for name, value in parts.items() if value is not None}})


# A server that vanished without a word is missed within half a minute.
_PATIENCE: Mapping[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "collate-gateway",
}


async def prepare(connection: AsyncConnection[Any], schema: str, statement_seconds: float) -> None:
    """Set what every session of ours has: its schema and its bounds."""
    settings = {
        "search_path": schema,
        "statement_timeout": f"{round(statement_seconds * 1_000)}ms",
        "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
        "lock_timeout": _LOCK,
        "timezone": "UTC",
    }
    for name, value in settings.items():
        await connection.execute("SELECT set_config(%s, %s, false)", (name, value))


@asynccontextmanager
async def connected(
    settings: ReadModelSettings, schema: str, *, statement_seconds: float
) -> AsyncIterator[AsyncConnection[Any]]:
    """Open one connection in autocommit. What is done inside raises DatabaseAway and NotMigrated, as this does."""
    with translated():
        connection = await AsyncConnection.connect(conninfo_of(settings), autocommit=True)
        try:
            await prepare(connection, schema, statement_seconds)
            yield connection
        finally:
            await connection.close()


@contextmanager
def translated() -> Iterator[None]:
    """Put what psycopg raises into our words; a mistake of ours in SQL or data stays what it is."""
    try:
        yield
    except _NOT_MIGRATED as error:
        raise NotMigrated("its tables are missing or of another version; run `gateway migrate`") from error
    except (*_FAILURES, ConnectionStringRefused) as error:
        raise DatabaseAway(say(error)) from error


def say(error: BaseException) -> str:
    """Put a failure on one line, without the hints that follow it."""
    if isinstance(error, ConnectionStringRefused):
        return error.problems[0]
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
