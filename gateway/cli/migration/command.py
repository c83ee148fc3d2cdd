"""`gateway topics migrate`: moves every record to new topics with another number of partitions."""

import os
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.terminal import AsOneJson, fail, print_json, run_with_kafka
from runtime.exits import Exit
from runtime.settings import load_access_settings

_VERB = "gateway topics migrate"
if TYPE_CHECKING:
    from offline.migration.migrate import Migrated

_PREFIX = re.compile(r"[a-zA-Z0-9._-]{1,100}")
To = Annotated[str, typer.Option("--to", metavar="PREFIX", help="Prefix of the new topics, e.g. `gateway2.`.")]
Partitions = Annotated[
    int | None,
    typer.Option(min=1, max=1_000, help="Of the new topics; default: GATEWAY_TOPICS__PARTITIONS."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Every ingress, worker and projector is stopped: do not ask.")]


def add_to(group: typer.Typer) -> None:
    """Add the verb to `gateway topics`."""
    group.command()(migrate)


def migrate(to: To, partitions: Partitions = None, *, yes: Yes = False, as_json: AsOneJson = False) -> None:
    """Copy every record to new topics, in order: the way back if partitions were added to a topic in use.

    Stop every process first. The settings still name the old topics, which stay unchanged. Safe to repeat after an
    interruption: a second run continues. docs/upgrade.md has the steps before and after. Exit codes:

      0   the new topics are complete
      1   not confirmed
      69  Kafka is unreachable; run the same command again
      78  a process still runs, or the topics cannot be migrated; the message has the next step
    """
    settings = load_access_settings(os.environ)
    if to == settings.topics.prefix:
        fail(Exit.CONFIG, f"the old topics have the prefix {to} too: choose another one with --to", _VERB)
    if not _PREFIX.fullmatch(to):
        fail(Exit.CONFIG, "a prefix has 1 to 100 letters, digits, dots, hyphens and underscores", _VERB)
    if not yes and not typer.confirm("Is every ingress, worker and projector of this installation stopped?"):
        raise typer.Exit(Exit.FAILED)
    from gateway.cli.migration.work import migrate_topics  # noqa: PLC0415 - imported by the verb

    def report(text: str) -> None:
        if not as_json:
            typer.echo(text)

    work = migrate_topics(settings, to, partitions or settings.topics.partitions, report)
    migrated = run_with_kafka(settings.kafka, work, _VERB)
    if as_json:
        document: dict[str, object] = asdict(migrated)
        print_json({"to": to} | document)
    else:
        _print(migrated, to)


def _print(migrated: "Migrated", to: str) -> None:
    if migrated.records is None:
        typer.echo(f"An earlier run has moved everything to {to}*; nothing was changed.")
    else:
        typer.echo(f"Moved {sum(migrated.records.values())} records; {migrated.unfinished} commands are unfinished.")
    typer.echo(
        f"Next: set GATEWAY_TOPICS__PREFIX={to} and GATEWAY_TOPICS__PARTITIONS for every process, start the workers, "
        "then ingress; run `gateway projector --rebuild`; tell subscribers. docs/upgrade.md has the steps."
    )
