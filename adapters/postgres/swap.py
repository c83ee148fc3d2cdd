"""Two schemas of one read model: the one in use, and the next one, which replaces it in one transaction."""

from psycopg import sql

from adapters.postgres.database import connected
from runtime.settings import ReadModelSettings

_SWAP_SECONDS = 60.0
_OLD, _NEXT = "_old", "_next"


def next_of(schema: str) -> str:
    """Return the name of the schema that a rebuild fills."""
    return schema + _NEXT


async def drop_next(settings: ReadModelSettings) -> None:
    """Drop the schemas of an earlier rebuild that failed."""
    name = settings.schema_name
    async with connected(settings, name, "projector rebuild", statement_seconds=_SWAP_SECONDS) as connection:
        for schema in (next_of(name), name + _OLD):
            await connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


async def swap(settings: ReadModelSettings) -> None:
    """Rename the next schema to the name in use, and drop the old one. Every session sees one of the two."""
    name = settings.schema_name
    current, following, old = (sql.Identifier(schema) for schema in (name, next_of(name), name + _OLD))
    rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
    async with connected(settings, name, "projector rebuild", statement_seconds=_SWAP_SECONDS) as connection:
        async with connection.transaction():
            await connection.execute(rename.format(current, old))
            await connection.execute(rename.format(following, current))
        await connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(old))
