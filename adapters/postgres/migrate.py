"""Migration of the schema to this version by Alembic: run, or printed as SQL for a person to run.

Import this module only to migrate: Alembic and SQLAlchemy cost 0.2 s and 20 MB.
"""

import io
import time
from typing import TYPE_CHECKING, Any

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import create_engine, pool

from adapters.postgres.database import ClosedAttempts, NotMigrated, closing_failed_attempts, conninfo_of, translated
from adapters.postgres.schema_version import HEAD, problem_of
from runtime.settings import ReadModelSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MIGRATION_LOCK = 0x636F6C6C  # an arbitrary constant: concurrent migrations of a schema wait for each other
_LOCK_POLL_SECONDS = 0.2
_BEFORE_THE_FIRST_RELEASE = "0001"


class _Connection(ClosedAttempts, psycopg.Connection[Any]):
    """A connection for Alembic, which is synchronous."""


def migrate(settings: ReadModelSettings, schema: str | None = None) -> tuple[str | None, str]:
    """Migrate the schema to HEAD and create it if it is missing; return the revisions before and after.

    Safe to repeat. A newer schema stays as it is, so that a roll-back can run this. Raises DatabaseAway, and
    NotMigrated if the newer schema does not fit this version, or the schema is older than the first release.
    """
    with translated():
        return _migrate(settings, schema)


def _migrate(settings: ReadModelSettings, schema: str | None) -> tuple[str | None, str]:
    name = sql.Identifier(schema or settings.schema_name)
    with closing_failed_attempts():
        opened = _Connection.connect(conninfo_of(settings, "migrate schema"), autocommit=True)
    with opened as connection:
        _lock(connection, schema or settings.schema_name)
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(sql.SQL("SET search_path TO {}").format(name))
        before = _first(connection, "schema_version", "version_num")
        if before == _BEFORE_THE_FIRST_RELEASE:
            raise NotMigrated(
                f"a build before the first release made the schema: run `DROP SCHEMA {name.as_string()} CASCADE`, "
                "then `gateway migrate` again; the projector fills it from Kafka"
            )
        if before is not None and before > HEAD:
            if problem := problem_of(before, _first(connection, "schema_reader", "revision")):
                raise NotMigrated(problem)
            return before, before
        connection.autocommit = False
        engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=pool.StaticPool)
        with engine.connect() as alembic_connection:
            command.upgrade(_config(alembic_connection), "head")
            alembic_connection.commit()
        return before, HEAD


def _lock(connection: "psycopg.Connection[Any]", schema: str) -> None:
    """Wait for other migrations. A statement that waits would hold a snapshot, and block their concurrent indexes.

    Locks belong to a database. Another installation in it has another schema, and does not wait.
    """
    attempt = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
    while connection.execute(attempt, (_MIGRATION_LOCK, schema)).fetchone() != (True,):
        time.sleep(_LOCK_POLL_SECONDS)


def as_sql() -> str:
    """Return the SQL that `migrate` runs on an empty schema, for databases where programs may not change schemas."""
    written = io.StringIO()
    config = _config(None)
    config.output_buffer = written
    command.upgrade(config, "head", sql=True)
    return written.getvalue()


def _first(connection: "psycopg.Connection[Any]", table: str, column: str) -> str | None:
    found = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
    if found is None or found[0] is None:
        return None
    statement = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(table))
    row = connection.execute(statement).fetchone()
    return None if row is None else str(row[0])


def _config(connection: "Connection | None") -> Config:
    config = Config()
    config.set_main_option("script_location", "adapters.postgres:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
