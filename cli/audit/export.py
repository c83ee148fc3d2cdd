"""`gateway audit export` and `verify`: what callers and people did, from the topic `events`, as JSON lines or CSV.

It reads with Kafka credentials and needs no read model.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.audit.audit_record import AUDITED, audit_record, with_reads
from cli.audit.event_reader import LATEST, EventReader
from cli.audit.export_file import MOST_DIFFERENCES, ExportSummary, differences, faults, read_file, to_bytes
from cli.kafka import run_with_kafka
from cli.terminal import fail
from runtime.exits import Exit
from runtime.settings import load_cluster_settings
from schemas.fields.scalars import is_id
from schemas.times import format_time, parse_time

Format = Literal["jsonl", "csv"]
_Since = Annotated[str | None, typer.Option("--since", help="First time, e.g. 2026-06-01 or 2026-06-01T00:00:00Z.")]
_Authorization = Annotated[str | None, typer.Option("--authorization", help="Only this authorization.")]


def export(
    *,
    since: _Since = None,
    until: Annotated[str | None, typer.Option("--until", help="Time after the last event; by default now.")] = None,
    authorization: _Authorization = None,
    format_: Annotated[Format, typer.Option("--format", help="JSON lines or CSV.")] = "jsonl",
) -> None:
    """Print what callers and people did, one record per event, by authorization and sequence.

    It reads the topic `events` with the Kafka settings of this process. Export
    more often than the topic's retention, and keep the files. A record has
    names of staff and ids, never PHI. The last line is the SHA-256 of all
    lines before. An hour after the end of a span its export is final: another
    one has the same bytes.

      gateway audit export --since 2026-06-01 --until 2026-06-02 > 2026-06-01.jsonl

    Exit codes:

      0   complete
      3   the topic may have lost events of the span, or has events of a newer
          version; standard error says which
      69  Kafka is unreachable
    """
    if authorization is not None and not is_id(authorization):
        fail(Exit.USAGE, "--authorization: expected an id of Collate")
    now = datetime.now(UTC)
    end = now if until is None else _time("--until", until)
    begin = None if since is None else _time("--since", since)
    if begin is not None and begin >= end:
        fail(Exit.USAGE, "--until: expected a time after --since")
    reader, records = _read(begin, end, authorization)
    is_closed, is_whole = end + LATEST <= now, not reader.is_cut and not reader.unreadable
    summary = ExportSummary(
        since=begin, until=end, authorization_id=authorization, records=len(records), final=is_closed and is_whole
    )
    typer.echo(to_bytes(records, summary, format_), nl=False)
    typer.echo(f"{len(records)} records until {format_time(end)}", err=True)
    if not is_closed:
        typer.echo("Not final: events of this span may still come, until an hour after its end.", err=True)
    if reader.is_cut:
        typer.echo(
            "The topic may have lost events of this span to its retention: take them from an older export.", err=True
        )
    if reader.unreadable:
        typer.echo(f"{reader.unreadable.total()} events are of a newer version: export with that version.", err=True)
    if not is_whole:
        raise typer.Exit(Exit.CHANGES)


def verify(
    file: Annotated[Path, typer.Argument(help="An export in JSON lines.", exists=True, dir_okay=False)],
    *,
    since: _Since = None,
    until: Annotated[str | None, typer.Option("--until", help="Time after the last event.")] = None,
    authorization: _Authorization = None,
    offline: Annotated[bool, typer.Option("--offline", help="Check only the file; do not read Kafka.")] = False,
) -> None:
    """Check that an export is unchanged, that it covers what you expect, and that it says what the events say.

    The options are those of the export. With one of them, each must match:
    without --authorization the file must cover every authorization.

      gateway audit verify 2026-06-01.jsonl --since 2026-06-01 --until 2026-06-02

    Exit codes:

      0   unchanged; without --offline also equal to its events
      1   the file was changed, covers something else, or differs from its
          events; the output says where
      3   unchanged, but the topic no longer has all events of the span
      69  Kafka is unreachable
    """
    begin = None if since is None else _time("--since", since)
    end = None if until is None else _time("--until", until)
    export = read_file(file.read_bytes())
    if export is None:
        fail(Exit.FAILED, f"{file}: expected an export in JSON lines, which ends with its span and its SHA-256")
    typer.echo(export)
    covers, found, is_cut = export.summary, list(faults(export)), False
    asked = (begin, end or covers.until, authorization)
    if any((since, until, authorization)) and asked != (covers.since, covers.until, covers.authorization_id):
        found.insert(0, "The file covers something else than the options say.")
    if not export.is_unchanged:
        found.insert(0, "The file was changed: its SHA-256 differs from the one in its last line.")
    if not offline:
        reader, records = _read(covers.since, covers.until, covers.authorization_id)
        is_cut = bool(reader.cut or reader.unreadable)
        found += differences(export, records, reader.may_lack)
    for line in found[:MOST_DIFFERENCES]:
        typer.echo(line)
    if len(found) > MOST_DIFFERENCES:
        typer.echo(f"and {len(found) - MOST_DIFFERENCES} more differences")
    if found:
        raise typer.Exit(Exit.FAILED)
    typer.echo(f"Unchanged{'' if offline else ', and compared with the events'}.")
    if is_cut:
        typer.echo("The topic no longer has all events of this span: the others could not be compared.", err=True)
        raise typer.Exit(Exit.CHANGES)


async def _records(reader: "EventReader") -> list[dict[str, object]]:
    return with_reads([audit_record(event) async for event in reader.events() if event.data.TYPE in AUDITED])


def _read(
    since: datetime | None, until: datetime, authorization: str | None
) -> tuple["EventReader", list[dict[str, object]]]:
    """Read the records of a span. Ends the verb if Kafka is unreachable."""
    settings = load_cluster_settings(os.environ)
    reader = EventReader(settings, since, until, authorization)
    return reader, run_with_kafka(settings.kafka, _records(reader))


def _time(option: str, text: str) -> datetime:
    try:
        return parse_time(f"{text}T00:00:00Z" if "T" not in text.upper() else text)
    except ValueError:
        fail(Exit.USAGE, f"{option}: expected a date like 2026-06-01 or an RFC 3339 time like 2026-06-01T08:00:00Z")
