"""The verbs that start a process (`ingress`, `worker`, `projector`, `console`); `migrate`; `version`."""

import os
import platform
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Annotated, TypeVar

import typer

from cli.resume import resume
from cli.terminal import fail
from runtime.exits import Exit
from runtime.settings import load_console_settings, load_process_settings, load_settings
from runtime.version import VERSION

Result = TypeVar("Result")


def add_to(app: typer.Typer) -> None:
    """Add the verbs that start a process."""
    app.command(rich_help_panel="Processes")(ingress)
    workers = typer.Typer(invoke_without_command=True)
    workers.callback()(worker)
    workers.command()(resume)
    app.add_typer(workers, name="worker", rich_help_panel="Processes")
    app.command(rich_help_panel="Processes")(projector)
    app.command(rich_help_panel="Processes")(console)
    app.command(rich_help_panel="Installation")(migrate)
    app.command(rich_help_panel="Installation")(version)


def ingress() -> None:
    """Accept commands over HTTP, store them in Kafka, and serve live calls. Runs until SIGTERM or Ctrl-C."""
    settings = load_settings(os.environ, "ingress")
    from gateway.ingress.main import serve  # noqa: PLC0415 - imported by the verb that needs it

    raise typer.Exit(serve(settings))


def worker(context: typer.Context) -> None:
    """Apply commands to Collate, watch authorizations, publish events. Runs until SIGTERM or Ctrl-C."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(os.environ, "worker")
    from consumers.worker import serve  # noqa: PLC0415 - as above

    raise typer.Exit(serve(settings))


def projector(
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild the read model from the topics, then exit.")
    ] = False,
) -> None:
    """Maintain the optional read model in PostgreSQL (status, timelines). Runs until SIGTERM or Ctrl-C.

    A rebuild fills a second schema and swaps the schemas at the end.
    All processes continue meanwhile.
    """
    settings = load_process_settings(os.environ, "projector")
    if rebuild:
        from consumers.projector.rebuild import serve as serve_rebuild  # noqa: PLC0415 - as above

        raise typer.Exit(serve_rebuild(settings))
    from consumers.projector.projector import serve  # noqa: PLC0415 - as above

    raise typer.Exit(serve(settings))


def console() -> None:
    """Serve the web pages for operators, staff and developers. Runs until SIGTERM or Ctrl-C.

    It calls the API of the ingress as the person who is signed in. It needs neither Kafka nor PostgreSQL.
    """
    settings = load_console_settings(os.environ)
    from console.main import serve  # noqa: PLC0415 - as above

    raise typer.Exit(serve(settings))


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
    from adapters.postgres import migrate as schema  # noqa: PLC0415 - as above
    from adapters.postgres.database import DatabaseAway, NotMigrated  # noqa: PLC0415 - as above

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


def version() -> None:
    """Print the version of the gateway and of Python."""
    typer.echo(f"gateway {VERSION} (Python {platform.python_version()})")
