"""The schema's revision that this version of the gateway reads and writes."""

from typing import Any

from psycopg import AsyncConnection

from adapters.postgres.database import NotMigrated

HEAD = "0001"
"""The newest revision in `migrations/versions`; a test compares the two."""


async def require_head(connection: AsyncConnection[Any]) -> None:
    """Raise NotMigrated unless the schema is at HEAD."""
    found = await (await connection.execute("SELECT to_regclass('schema_version')")).fetchone()
    if found is None or found[0] is None:
        raise NotMigrated("the schema does not exist; run `gateway migrate`")
    row = await (await connection.execute("SELECT version_num FROM schema_version")).fetchone()
    if row is None or row[0] != HEAD:
        at = "no revision" if row is None else f"revision {row[0]}"
        raise NotMigrated(f"the schema is at {at} and this version needs {HEAD}; run `gateway migrate` of this version")
