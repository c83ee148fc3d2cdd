"""Checks of PostgreSQL: address, credentials and version of the tables."""

from collections.abc import AsyncIterator

from adapters.postgres.database import ConnectionStringRefused, DatabaseAway, NotMigrated, connected, conninfo_of
from adapters.postgres.schema_version import require_schema
from gateway.cli.check.check_results import CheckResult, failed, ok
from runtime.exits import Exit
from runtime.settings import ReadModelSettings

_INVALID_AUTHORIZATION = "28"  # SQLSTATE class: invalid authorization specification


async def check_database(readmodel: ReadModelSettings) -> AsyncIterator[CheckResult]:
    """Log in and check that this version can use the schema."""
    try:
        conninfo_of(readmodel)
        statement_seconds = readmodel.read_timeout.total_seconds()
        async with connected(readmodel, readmodel.schema_name, statement_seconds=statement_seconds) as connection:
            await require_schema(connection)
    except ConnectionStringRefused as refused:
        yield failed("database", refused.problems[0], Exit.CONFIG)
    except NotMigrated as lacking:
        yield failed("database", str(lacking), Exit.CONFIG)
    except DatabaseAway as away:
        yield failed("database", str(away), Exit.DENIED if _is_denied(away) else Exit.UNAVAILABLE)
    else:
        yield ok("database", f"schema {readmodel.schema_name} fits this version")


def _is_denied(away: DatabaseAway) -> bool:
    """Return whether PostgreSQL rejected the credentials. Before a session exists, libpq gives only a text."""
    state = getattr(away.__cause__, "sqlstate", None)  # the driver's own error carries it
    words = ("authentication failed", "no pg_hba.conf entry", "does not exist", "permission denied")
    return (state or "").startswith(_INVALID_AUTHORIZATION) or any(word in str(away) for word in words)
