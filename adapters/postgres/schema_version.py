"""The schema's revision that this version of the gateway reads and writes, and the newer ones that it accepts.

During a rolling upgrade the schema is newer than the older processes. Each migration states `oldest_reader`: the oldest
revision whose code still works. The table `schema_reader` has the value of the newest migration.
"""

from typing import Any, LiteralString

from psycopg import AsyncConnection

from adapters.postgres.database import NotMigrated

HEAD = "0002"
"""The newest revision in `migrations/versions`; a test compares the two."""


async def require_schema(connection: AsyncConnection[Any]) -> None:
    """Raise NotMigrated unless the schema is at HEAD, or at a newer revision that code of HEAD can use."""
    if not await _exists(connection, "schema_version"):
        raise NotMigrated("the schema does not exist; run `gateway migrate`")
    found = await _first(connection, "SELECT version_num FROM schema_version")
    if found == HEAD:
        return
    has_reader = await _exists(connection, "schema_reader")
    oldest_reader = await _first(connection, "SELECT revision FROM schema_reader") if has_reader else None
    if problem := problem_of(found, oldest_reader):
        raise NotMigrated(problem)


def problem_of(found: str | None, oldest_reader: str | None) -> str | None:
    """Return why code of HEAD cannot use a schema at the revision `found`; None if it can."""
    if found == HEAD or (found is not None and oldest_reader is not None and oldest_reader <= HEAD < found):
        return None
    if found is not None and found > HEAD:
        return (
            f"the schema is at revision {found}, which needs a version of {oldest_reader or found} or newer, "
            f"and this version has {HEAD}: finish the upgrade"
        )
    at = "no revision" if found is None else f"revision {found}"
    return f"the schema is at {at} and this version needs {HEAD}; run `gateway migrate` of this version"


async def _exists(connection: AsyncConnection[Any], table: LiteralString) -> bool:
    return await _first(connection, "SELECT to_regclass(%s)", table) is not None


async def _first(connection: AsyncConnection[Any], statement: LiteralString, *values: str) -> Any:
    row = await (await connection.execute(statement, values)).fetchone()
    return None if row is None else row[0]
