"""`gateway ingress`, `worker` and `projector`, which load settings and start a process; `migrate` and `version`."""

import os
import platform
from typing import Annotated

import typer

from gateway.cli.resume import resume
from runtime.exits import Exit
from runtime.settings import load_process_settings, load_settings
from runtime.version import VERSION


def add_to(app: typer.Typer) -> None:
    """Add the verbs that start a process."""
    app.command(rich_help_panel="Processes")(ingress)
    workers = typer.Typer(invoke_without_command=True)
    workers.callback()(worker)
    workers.command()(resume)
    app.add_typer(workers, name="worker", rich_help_panel="Processes")
    app.command(rich_help_panel="Processes")(projector)
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


def migrate(
    *, as_sql: Annotated[bool, typer.Option("--sql", help="Print the SQL for an empty schema; change nothing.")] = False
) -> None:
    """Create the read model's tables in PostgreSQL, or upgrade them to this version. Safe to repeat.

    Exits with 0 when the tables are right, 69 if PostgreSQL is unreachable.
    """
    from adapters.postgres import migrate as schema  # noqa: PLC0415 - as above
    from adapters.postgres.database import DatabaseAway  # noqa: PLC0415 - as above

    if as_sql:
        typer.echo(schema.as_sql())
        return
    settings = load_process_settings(os.environ, "migrate")
    try:
        before, after = schema.migrate(settings.readmodel)
    except DatabaseAway as away:
        typer.echo(f"gateway migrate: {away}", err=True)
        raise typer.Exit(Exit.UNAVAILABLE) from away
    name = settings.readmodel.schema_name
    typer.echo(
        f"Schema {name} is at {after}" + (", unchanged." if before == after else f"; before: {before or 'no tables'}.")
    )


def version() -> None:
    """Print the version of the gateway and of Python."""
    typer.echo(f"gateway {VERSION} (Python {platform.python_version()})")
