"""`gateway topics rebuild-state`: rebuilds the worker's states after the `state` topic was lost."""

import asyncio
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from runtime.exits import Exit, StartupError
from runtime.settings import load_access_settings

if TYPE_CHECKING:
    from offline.rebuild.rebuild import Rebuilt

Authorization = Annotated[
    str | None, typer.Option(metavar="ID", help="Rebuild the state of this authorization alone: its record is damaged.")
]
Partition = Annotated[
    list[int] | None,
    typer.Option(help="Rebuild this partition although it has a progress record, e.g. an old copy. Repeatable."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Every worker is stopped: do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def add_to(group: typer.Typer) -> None:
    """Add the verb to `gateway topics`."""
    group.command(name="rebuild-state")(rebuild_state)


def rebuild_state(
    authorization: Authorization = None,
    partition: Partition = None,
    *,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Rebuild lost records of the `state` topic from `events`, `authorizations` and `commands`.

    Stop every worker first; ingress may run. The `state` topic must exist: run
    `gateway topics apply` before. Give the worker's settings, its digest key
    included. Safe to repeat after an interruption. Nothing is sent to Collate;
    the workers read every watched authorization soon after their start.
    docs/operations.md has the steps, and what is lost. Exit codes:

      0   the states are rebuilt
      1   not confirmed, or no topic knows the authorization
      69  Kafka is unreachable; run the same command again
      78  a worker still runs, or the topics cannot be read; the message has the next step
    """
    if authorization is not None and partition:
        _end(Exit.USAGE, "give --authorization or --partition, not both")
    settings = load_access_settings(os.environ)
    if not yes and not typer.confirm("Is every worker of this installation stopped?"):
        raise typer.Exit(Exit.FAILED)
    from adapters.kafka.cluster import KafkaAway  # noqa: PLC0415 - imported by the verb
    from gateway.cli.rebuild.work import rebuild  # noqa: PLC0415 - as above
    from offline.rebuild.partition import RecordUnreadable  # noqa: PLC0415 - as above
    from offline.rebuild.rebuild import RebuildRefused  # noqa: PLC0415 - as above

    report = (lambda _: None) if as_json else typer.echo
    try:
        found = asyncio.run(rebuild(settings, authorization, partition or (), report))
    except (RebuildRefused, RecordUnreadable, StartupError) as refused:
        _end(Exit.CONFIG, str(refused))
    except KafkaAway as away:
        _end(Exit.UNAVAILABLE, f"Kafka at {away}; run the same command again")
    if authorization is not None:
        _print_one(authorization, is_found=found is not None, as_json=as_json)
    elif found is not None:
        _print(found, as_json=as_json)


def _print(found: "Rebuilt", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    if found.kept:
        typer.echo(f"Partitions with a progress record, left as they are: {', '.join(map(str, found.kept))}.")
    if not found.partitions:
        typer.echo("Nothing is lost: every partition has its progress record. Nothing was changed.")
        return
    typer.echo(f"Rebuilt {found.states} states; {found.unfinished} commands are unfinished.")
    if found.skipped:
        typer.echo(f"Skipped {found.skipped} records that are not the gateway's.")
    typer.echo("Next: start the workers. They read Collate, and continue with the unfinished commands.")


def _print_one(authorization: str, *, is_found: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"authorization": authorization, "rebuilt": is_found}))
    elif is_found:
        typer.echo(f"Rebuilt the state of {authorization}. Next: start the workers.")
    else:
        typer.echo(f"No topic knows {authorization}; nothing was changed.")
    if not is_found:
        raise typer.Exit(Exit.FAILED)


def _end(code: Exit, problem: str) -> NoReturn:
    typer.echo(f"gateway topics rebuild-state: {problem}", err=True)
    raise typer.Exit(code)
