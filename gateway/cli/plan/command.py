"""The verb `gateway plan`. Pure: it reads no setting and calls no server."""

from typing import Annotated

import typer
from rich.table import Table

from gateway.cli.plan.capacity import Load, Plan, make_plan
from gateway.cli.plan.figures import Speeds
from gateway.cli.plan.output import advice, document, rows, values, verdict
from gateway.cli.terminal import AsOneJson, print_json
from runtime.exits import Exit

_SPEEDS = Speeds()


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(rich_help_panel="Installation")(plan)


def plan(
    *,
    authorizations: Annotated[int, typer.Option(min=0, help="Authorizations that are watched at the same time.")],
    commands_per_day: Annotated[int, typer.Option(min=1, help="Commands of all callers on a working day.")],
    calls_per_second: Annotated[float, typer.Option(min=0.01, help="Calls per second that Collate grants you.")],
    busiest_hour: Annotated[
        int, typer.Option(min=5, max=100, metavar="PERCENT", help="Share of the day's commands in its busiest hour.")
    ] = 20,
    handoff_minutes: Annotated[float, typer.Option(min=0, help="How long a person works in a handoff.")] = 15.0,
    reconcile_minutes: Annotated[
        float, typer.Option(min=0, help="How long Collate needs after a handoff to reconcile it.")
    ] = 5.0,
    partitions: Annotated[
        int | None, typer.Option(min=1, max=1_000, help="Partitions of an existing installation.")
    ] = None,
    replication: Annotated[int, typer.Option(min=1, max=10, help="Copies of each record in Kafka.")] = 3,
    call_seconds: Annotated[
        float, typer.Option(min=0.001, help="Duration of a call to Collate.")
    ] = _SPEEDS.call_seconds,
    worker_commands: Annotated[
        float, typer.Option(min=1, help="Commands per second of one worker, by `make bench ARGS=chain`.")
    ] = _SPEEDS.worker_commands_per_second,
    ingress_requests: Annotated[
        float, typer.Option(min=1, help="Requests per second of one ingress, by `make bench ARGS=ingress`.")
    ] = _SPEEDS.ingress_requests_per_second,
    only_values: Annotated[bool, typer.Option("--values", help="Print only the values of the chart, as YAML.")] = False,
    as_json: AsOneJson = False,
) -> None:
    """Calculate partitions, workers, replicas, memory and disk for a load, and name the bound that counts.

    docs/capacity.md has the formulas, and the measurements behind the defaults.
    This verb reads no setting and calls no server.

      gateway plan --authorizations 10000 --commands-per-day 2000 --calls-per-second 20
      gateway plan --authorizations 10000 --commands-per-day 2000 --calls-per-second 20 --values > size.yaml

    Exit codes:

      0   the load fits
      1   a bound allows less than the load
    """
    load = Load(
        authorizations=authorizations,
        commands_per_day=commands_per_day,
        calls_per_second=calls_per_second,
        busiest_hour=busiest_hour / 100,
        handoff_minutes=handoff_minutes,
        reconcile_minutes=reconcile_minutes,
        partitions=partitions,
        replication=replication,
    )
    speeds = Speeds(
        worker_commands_per_second=worker_commands,
        ingress_requests_per_second=ingress_requests,
        call_seconds=call_seconds,
    )
    made = make_plan(load, speeds)
    if as_json:
        print_json(document(made), indent=2)
    elif only_values:
        typer.echo(values(made, command_line(load)), nl=False)
    else:
        _print(made)
    raise typer.Exit(Exit.OK if made.fits else Exit.FAILED)


def command_line(load: Load) -> str:
    """Return the command line of a load, without the options that have their default."""
    return (
        f"gateway plan --authorizations {load.authorizations} --commands-per-day {load.commands_per_day:.0f} "
        f"--calls-per-second {load.calls_per_second:g}"
    )


def _print(made: Plan) -> None:
    from gateway.cli.formatting import console  # noqa: PLC0415 - imported by the verb that needs it

    out = console()
    table = Table.grid(padding=(0, 2, 0, 0))
    for row in rows(made):
        table.add_row(*row)
    out.print(table)
    out.print()
    for sentence in (verdict(made), *advice(made)):
        out.print(sentence, style="" if made.fits else "red")
    out.print("\nValues of the chart:\n")
    typer.echo(values(made, command_line(made.load)), nl=False)
