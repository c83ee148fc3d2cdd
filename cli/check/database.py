"""Checks of PostgreSQL: address, credentials, version of the tables, and the bound of connections."""

from collections.abc import AsyncIterator

from adapters.postgres.database import (
    ConnectionStringRefused,
    DatabaseAway,
    NotMigrated,
    allowed_connections,
    connected,
    conninfo_of,
    most_connections,
    open_connections,
)
from adapters.postgres.reader import READ_SECONDS
from adapters.postgres.schema_version import require_schema
from cli.check.check_results import CheckResult, failed, ok
from runtime.exits import Exit
from runtime.settings import ReadModelSettings

_INVALID_AUTHORIZATION = "28"  # SQLSTATE class: invalid authorization specification


async def check_database(readmodel: ReadModelSettings, ingresses: int | None) -> AsyncIterator[CheckResult]:
    """Log in, and check the version of the schema, and the bound of connections if `ingresses` is known."""
    try:
        conninfo_of(readmodel, "check database")
        async with connected(  # type: ignore[misc]  # rows of any type
            readmodel, readmodel.schema_name, "check database", statement_seconds=READ_SECONDS
        ) as connection:
            await require_schema(connection)  # type: ignore[misc]  # as above
            allowed = await allowed_connections(connection)  # type: ignore[misc]  # as above
            open_now = await open_connections(connection)  # type: ignore[misc]  # as above
    except ConnectionStringRefused as refused:
        yield failed("database", refused.problems[0], Exit.CONFIG)
    except NotMigrated as lacking:
        yield failed("database", str(lacking), Exit.CONFIG)
    except DatabaseAway as away:
        yield failed("database", str(away), Exit.DENIED if _is_denied(away) else Exit.UNAVAILABLE)
    else:
        yield ok("database", f"schema {readmodel.schema_name} fits this version")
        if ingresses is not None:
            yield _bound_of_connections(most_connections(readmodel, ingresses), allowed, sum(open_now.values()))


def _bound_of_connections(most: int, allowed: int, count: int) -> CheckResult:
    if most <= allowed:
        return ok("database connections", f"{most} at most, and the server allows {allowed}; {count} are open")
    return failed(
        "database connections",
        f"{most} at most, but the server allows {allowed} (max_connections less 10); {count} are open: lower "
        "GATEWAY_READMODEL__CONNECTIONS or raise max_connections",
        Exit.CONFIG,
    )


def _is_denied(away: DatabaseAway) -> bool:
    """Return whether PostgreSQL rejected the credentials. Before a session exists, libpq gives only a text."""
    state: str | None = getattr(away.__cause__, "sqlstate", None)  # the driver's own error carries it
    words = ("authentication failed", "no pg_hba.conf entry", "does not exist", "permission denied")
    return (state or "").startswith(_INVALID_AUTHORIZATION) or any(word in str(away) for word in words)
