"""`gateway audit export`: what callers and people did, from the topic `events`, as JSON lines or CSV.

It reads with Kafka credentials and needs no read model.
"""

import asyncio
import csv
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from gateway.cli.terminal import fail, group_of, print_json
from runtime.exits import Exit
from runtime.settings import load_cluster_settings
from schemas.fields.scalars import is_id
from schemas.fields.visible_text import escaped
from schemas.times import format_time, parse_time

if TYPE_CHECKING:
    from gateway.cli.audit.event_reader import EventReader

# A spreadsheet takes a cell that begins with one of these for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


Format = Literal["jsonl", "csv"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    group = group_of("Who requested, accepted, reported, decided, and read what.")
    group.command()(export)
    app.add_typer(group, name="audit", rich_help_panel="Installation")


def export(
    *,
    since: Annotated[
        str | None, typer.Option("--since", help="First time, e.g. 2026-06-01 or 2026-06-01T00:00:00Z.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Time after the last event; by default now.")] = None,
    authorization: Annotated[str | None, typer.Option("--authorization", help="Only this authorization.")] = None,
    format_: Annotated[Format, typer.Option("--format", help="JSON lines or CSV.")] = "jsonl",
) -> None:
    """Print what callers and people did, one record per event, in order for each authorization.

    It reads the topic `events`, which keeps 30 days, with the Kafka settings of
    this process. Export at least as often, and keep the files. A record has
    names of staff and ids, never PHI.

      gateway audit export --since 2026-06-01 --until 2026-06-02 > 2026-06-01.jsonl

    Exit codes:

      0   complete
      3   the topic may have lost events of the span, or has events of a newer
          version; standard error says which
      69  Kafka is unreachable
    """
    from adapters.kafka.clients import KafkaFailure  # noqa: PLC0415 - imported by the verb that needs it
    from gateway.cli.audit.event_reader import EventReader  # noqa: PLC0415 - as above

    if authorization is not None and not is_id(authorization):
        fail(Exit.USAGE, "--authorization: expected an id of Collate")
    end = datetime.now(UTC) if until is None else _time("--until", until)
    settings = load_cluster_settings(os.environ)
    reader = EventReader(settings, None if since is None else _time("--since", since), end, authorization)
    try:
        count = asyncio.run(_export(reader, _writer(format_)))
    except KafkaFailure as error:
        fail(Exit.UNAVAILABLE, f"Kafka at {','.join(settings.kafka.bootstrap)}: {type(error).__name__}")
    typer.echo(f"{count} records until {format_time(end)}", err=True)
    if reader.cut_partitions:
        typer.echo(
            "The topic may have lost events of this span to its retention: take them from an older export.", err=True
        )
    if reader.unreadable:
        typer.echo(f"{reader.unreadable} events are of a newer version: export with that version.", err=True)
    if reader.cut_partitions or reader.unreadable:
        raise typer.Exit(Exit.CHANGES)


async def _export(reader: "EventReader", write: Callable[[dict[str, object]], None]) -> int:
    from gateway.cli.audit.audit_record import AUDITED, audit_record  # noqa: PLC0415 - as above

    count = 0
    async for event in reader.events():
        if event.data.TYPE in AUDITED:
            write(audit_record(event))
            count += 1
    return count


def _writer(format_: Format) -> Callable[[dict[str, object]], None]:
    if format_ == "jsonl":
        return print_json
    from gateway.cli.audit.audit_record import COLUMNS  # noqa: PLC0415 - as above

    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()

    def write(record: dict[str, object]) -> None:
        row: dict[str, object] = {name: _cell(value) for name, value in record.items()}
        writer.writerow(row)

    return write


def _cell(value: object) -> object:
    """Return a value that a spreadsheet shows as text, with hidden characters as their codes."""
    if not isinstance(value, str):
        return value
    return escaped(f"'{value}" if value.startswith(_FORMULA) else value)


def _time(option: str, text: str) -> datetime:
    try:
        return parse_time(f"{text}T00:00:00Z" if "T" not in text.upper() else text)
    except ValueError:
        fail(Exit.USAGE, f"{option}: expected a date like 2026-06-01 or an RFC 3339 time like 2026-06-01T08:00:00Z")
