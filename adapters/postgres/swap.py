"""Two schemas of one read model: the one in use, and the next, which takes its name in one transaction."""

from psycopg import sql

from adapters.postgres.database import connected
from runtime.settings import ReadModelSettings

_SWAP_SECONDS = 60.0
_OLD, _NEXT = "_old", "_next"


def next_of(schema: str) -> str:
    """Name the schema that is being filled."""
    return schema + _NEXT


async def drop_next(settings: ReadModelSettings) -> None:
    """Remove what an earlier rebuild left behind."""
    name = settings.schema_name
    async with connected(settings, name, statement_seconds=_SWAP_SECONDS) as connection:
        for schema in (next_of(name), name + _OLD):
            await connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


async def swap(settings: ReadModelSettings) -> None:
    """Give the next schema the name of the one in use, and drop that. Readers and projectors see one or the other."""
    name = settings.schema_name
    current, following, old = (sql.Identifier(one) for one in (name, next_of(name), name + _OLD))
    rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
    async with connected(settings, name, statement_seconds=_SWAP_SECONDS) as connection:
        async with connection.transaction():
            await connection.execute(rename.format(current, old))
            await connection.execute(rename.format(following, current))
        await connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(old))
