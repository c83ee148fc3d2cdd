"""`gateway migrate`: creates or upgrades the tables of the read model."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Annotated, TypeVar

import typer

from adapters.postgres import migrate as schema
from adapters.postgres.database import DatabaseAway, NotMigrated
from cli.terminal import fail
from runtime.exits import Exit
from runtime.settings import load_process_settings

Result = TypeVar("Result")


def migrate(
    *,
    as_sql: Annotated[bool, typer.Option("--sql", help="Print the SQL for an empty schema; change nothing.")] = False,
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Give up after this time; the server may continue.")
    ] = 3_600.0,
) -> None:
    """Create the read model's tables in PostgreSQL, or upgrade them to this version. Safe to repeat.

    Tables of a newer version stay as they are. Exits with 0 when this version can use the
    tables, 78 if it cannot, 69 if PostgreSQL is unreachable or has not ended in time.
    """
    if as_sql:
        typer.echo(schema.as_sql())
        return
    settings = load_process_settings(os.environ, "migrate")
    try:
        before, after = _within(seconds, lambda: schema.migrate(settings.readmodel))
    except TimeoutError:
        fail(
            Exit.UNAVAILABLE,
            f"no end within {seconds:g} s. Look for its session in pg_stat_activity: it may be at work, or wait for "
            "a lock. Then run gateway migrate again, with more --seconds.",
            "gateway migrate",
        )
    except DatabaseAway as away:
        fail(Exit.UNAVAILABLE, str(away), "gateway migrate")
    except NotMigrated as newer:
        fail(Exit.CONFIG, str(newer), "gateway migrate")
    name = settings.readmodel.schema_name
    typer.echo(
        f"Schema {name} is at {after}" + (", unchanged." if before == after else f"; before: {before or 'no tables'}.")
    )


def _within(seconds: float, work: Callable[[], Result]) -> Result:
    """Return the result of blocking work. Raises its exception, or TimeoutError: it then ends with the process."""
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(seconds)
