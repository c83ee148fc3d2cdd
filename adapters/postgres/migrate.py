"""Migration of the schema to this version by Alembic: run, or printed as SQL for a person to run.

Import this module only to migrate: Alembic and SQLAlchemy cost 0.2 s and 20 MB.
"""

import io
from typing import TYPE_CHECKING, Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import create_engine, pool

from adapters.postgres.database import conninfo_of, translated
from adapters.postgres.schema_version import HEAD
from runtime.settings import ReadModelSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MIGRATION_LOCK = 0x636F6C6C  # an arbitrary constant: concurrent migrations wait for each other


def newest_revision() -> str | None:
    """Return the newest revision among the migrations."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def migrate(settings: ReadModelSettings, schema: str | None = None) -> tuple[str | None, str]:
    """Migrate the schema to HEAD and create it if it is missing; return the revisions before and after.

    Safe to repeat. Raises DatabaseAway.
    """
    with translated():
        return _migrate(settings, schema)


def _migrate(settings: ReadModelSettings, schema: str | None) -> tuple[str | None, str]:
    name = sql.Identifier(schema or settings.schema_name)
    with psycopg.connect(conninfo_of(settings), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATION_LOCK,))
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
        connection.execute(sql.SQL("SET search_path TO {}").format(name))
        before = _revision_of(connection)
        connection.autocommit = False
        engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=pool.StaticPool)
        with engine.connect() as alembic_connection:
            command.upgrade(_config(alembic_connection), "head")
            alembic_connection.commit()
        return before, HEAD


def as_sql() -> str:
    """Return the SQL that `migrate` runs on an empty schema, for databases where programs may not change schemas."""
    written = io.StringIO()
    config = _config(None)
    config.output_buffer = written
    command.upgrade(config, "head", sql=True)
    return written.getvalue()


def _revision_of(connection: "psycopg.Connection[Any]") -> str | None:
    found = connection.execute("SELECT to_regclass('schema_version')").fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM schema_version").fetchone()
    return None if row is None else str(row[0])


def _config(connection: "Connection | None") -> Config:
    config = Config()
    config.set_main_option("script_location", "adapters.postgres:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
