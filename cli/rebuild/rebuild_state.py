"""`gateway topics rebuild-state`: rebuilds the worker's states after the `state` topic was lost."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cli.kafka import run_with_kafka
from cli.rebuild.checked_rebuild import rebuild
from cli.rebuild.stopped import RebuildRefused
from cli.terminal import AsOneJson, fail, print_json
from runtime.exits import Exit, StartupError
from runtime.settings import load_access_settings

if TYPE_CHECKING:
    from cli.rebuild.rebuild import Rebuilt

_VERB = "gateway topics rebuild-state"
Authorization = Annotated[
    str | None, typer.Option(metavar="ID", help="Rebuild the state of this authorization alone: its record is damaged.")
]
Partition = Annotated[
    list[int] | None,
    typer.Option(help="Rebuild this partition although it has a progress record, e.g. an old copy. Repeatable."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Every worker is stopped: do not ask.")]


def rebuild_state(
    authorization: Authorization = None,
    partition: Partition = None,
    *,
    yes: Yes = False,
    as_json: AsOneJson = False,
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
        fail(Exit.USAGE, "give --authorization or --partition, not both", _VERB)
    settings = load_access_settings(os.environ)
    if not yes and not typer.confirm("Is every worker of this installation stopped?"):
        raise typer.Exit(Exit.FAILED)

    def report(text: str) -> None:
        if not as_json:
            typer.echo(text)

    try:
        found = run_with_kafka(settings.kafka, rebuild(settings, authorization, partition or (), report), _VERB)
    except (RebuildRefused, StartupError) as refused:  # StartupError: the digest key
        fail(Exit.CONFIG, str(refused), _VERB)
    if authorization is not None:
        _print_one(authorization, is_found=found is not None, as_json=as_json)
    elif found is not None:
        _print(found, as_json=as_json)


def _print(found: "Rebuilt", *, as_json: bool) -> None:
    if as_json:
        print_json(found)
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
        print_json({"authorization": authorization, "rebuilt": is_found})
    elif is_found:
        typer.echo(f"Rebuilt the state of {authorization}. Next: start the workers.")
    else:
        typer.echo(f"No topic knows {authorization}; nothing was changed.")
    if not is_found:
        raise typer.Exit(Exit.FAILED)
