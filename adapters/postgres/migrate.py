"""The schema brought up to this version by Alembic, however often it is asked; or printed for a person to run."""

import io
from typing import TYPE_CHECKING, Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import AsyncConnection, sql
from sqlalchemy import create_engine, pool

from adapters.postgres.database import NotMigrated, conninfo_of, translated
from runtime.settings import ReadModelSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

HEAD = "0001"
"""The revision that this version of us reads and writes; a test compares it with the newest file."""

_MIGRATION_LOCK = 0x636F6C6C  # any number that is always the same: two migrations at once wait for each other


def newest() -> str | None:
    """Return the newest revision among the files."""
    return ScriptDirectory.from_config(_config(None)).get_current_head()


def migrate(settings: ReadModelSettings, schema: str | None = None) -> tuple[str | None, str]:
    """Bring the schema to HEAD, and make it where it is missing; return the revisions before and after.

    Raises DatabaseAway.
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
    """Return what `migrate` would run on an empty schema, for whoever may not let programs change schemas."""
    written = io.StringIO()
    config = _config(None)
    config.output_buffer = written
    command.upgrade(config, "head", sql=True)
    return written.getvalue()


async def require_head(connection: AsyncConnection[Any]) -> None:
    """Raise NotMigrated unless the schema is at HEAD."""
    found = await (await connection.execute("SELECT to_regclass('schema_version')")).fetchone()
    if found is None or found[0] is None:
        raise NotMigrated("the schema was never made; run `gateway migrate`")
    row = await (await connection.execute("SELECT version_num FROM schema_version")).fetchone()
    if row is None or row[0] != HEAD:
        at = "no revision" if row is None else f"revision {row[0]}"
        raise NotMigrated(
            f"the schema is at {at} and this version writes {HEAD}; run `gateway migrate` of this version"
        )


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
