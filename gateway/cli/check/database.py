"""`gateway check`: is PostgreSQL there, does it let us in, are the tables those of this version? Changes nothing."""

from collections.abc import AsyncIterator

from adapters.postgres.database import ConnectionStringRefused, DatabaseAway, NotMigrated, connected, conninfo_of
from adapters.postgres.schema_version import require_head
from gateway.cli.check.check_results import CheckResult, failed, ok
from runtime.exits import Exit
from runtime.settings import ReadModelSettings

_REFUSED = "28"  # SQLSTATE class: invalid authorization specification


async def look_at_database(readmodel: ReadModelSettings) -> AsyncIterator[CheckResult]:
    """Log in and compare the schema's revision with the one that this version knows."""
    try:
        conninfo_of(readmodel)
        statement_seconds = readmodel.read_timeout.total_seconds()
        async with connected(readmodel, readmodel.schema_name, statement_seconds=statement_seconds) as connection:
            await require_head(connection)
    except ConnectionStringRefused as refused:
        yield failed("database", refused.problems[0], Exit.CONFIG)
    except NotMigrated as lacking:
        yield failed("database", str(lacking), Exit.CONFIG)
    except DatabaseAway as away:
        yield failed("database", str(away), Exit.DENIED if _is_refusal(away) else Exit.UNAVAILABLE)
    else:
        yield ok("database", f"schema {readmodel.schema_name} is of this version")


def _is_refusal(away: DatabaseAway) -> bool:
    """Tell whether PostgreSQL is there and refused who we are; libpq gives no code before a session exists."""
    state = getattr(away.__cause__, "sqlstate", None)  # the driver's own error carries it
    words = ("authentication failed", "no pg_hba.conf entry", "does not exist", "permission denied")
    return (state or "").startswith(_REFUSED) or any(word in str(away) for word in words)
