"""`gateway deliverer redrive` and `dead-letters`: delivers events once more, and lists what was not delivered."""

import re
from datetime import UTC, datetime
from typing import Annotated, TypedDict

import typer

from cli.deliverer.redelivery import (
    RedriveResult,
    ReplayedEvent,
    UndeliveredEvent,
    open_dead_letters,
    redrive_dead_letters,
    redrive_from,
)
from cli.deliverer.subscriptions import Name, load_subscription
from cli.formatting import console, table_of
from cli.kafka import run_with_kafka
from cli.lists.listing import parse_since
from cli.terminal import AsOneJson, fail, print_json
from consumers.deliverer.delivery import Delivered, NotDelivered, Outcome
from runtime.exits import Exit
from schemas.times import format_time, parse_time

_POSITION = re.compile(r"([0-9]{1,4}):([0-9]{1,18})")
_COLUMNS = ("position", "authorization", "sequence", "type", "result", "status", "since", "event")


class RedrivenLine(TypedDict):
    """An event that was sent once more, as --json prints it."""

    position: str
    authorization: str | None
    sequence: int | None
    event: str | None
    result: str


def dead_letters(name: Name, *, as_json: AsOneJson = False) -> None:
    """List the events that were not delivered within the time of the subscription, and were not redriven.

    It reads the subscription's topic of dead letters, whose retention removes old ones.
    """
    settings, subscription = load_subscription(name)
    dead_letters = run_with_kafka(settings.kafka, open_dead_letters(settings, subscription.name))
    rows = [_row(dead_letter) for dead_letter in dead_letters]
    if as_json:
        print_json({"subscription": name, "deadLetters": rows})
        return
    if not rows:
        typer.echo("No dead letter.")
        return
    shown = (["" if row[column] is None else str(row[column]) for column in _COLUMNS] for row in rows)
    console().print(table_of(_COLUMNS, shown, heading="dim"))


def redrive(
    name: Name,
    *,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Every dead letter of the subscription; each ends when delivered.")
    ] = False,
    event: Annotated[str | None, typer.Option(help="The dead letter of the event with this id.")] = None,
    position: Annotated[
        str | None, typer.Option(metavar="PARTITION:OFFSET", help="Everything of a partition from this position on.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Everything since a time (2026-06-02T14:00:00Z) or for a duration (2h).")
    ] = None,
    authorization: Annotated[str | None, typer.Option(help="Only the events of this authorization.")] = None,
    as_json: AsOneJson = False,
) -> None:
    """Deliver events once more. Give one of --dead-letters, --event, --position and --since.

    The subscription's filter applies. The events of an authorization go out in order;
    the deliverer sends newer ones meanwhile, so a receiver orders by `sequence`. Each
    event is tried five times. Run it where the deliverer runs:

      kubectl exec POD -- gateway deliverer redrive NAME --dead-letters

    Exit codes:

      0   everything was delivered
      1   a partition stopped at an event that the receiver does not accept: run it again from there;
          or an event was skipped, because it is unreadable: no receiver can get it
      69  Kafka is unreachable
    """
    if sum((dead_letters, event is not None, position is not None, since is not None)) != 1:
        fail(Exit.USAGE, "expected one of --dead-letters, --event, --position and --since")
    settings, subscription = load_subscription(name)
    lines: list[RedrivenLine] = []

    def note(replayed: "ReplayedEvent", outcome: "Outcome") -> None:
        line = _line(replayed, outcome)
        lines.append(line)
        if not as_json:
            event_of = f"{line['authorization'] or '?'} {line['sequence'] or '?'}"
            typer.echo(f"{line['position']:<12} {event_of}  {line['result']}")

    if dead_letters or event is not None:
        undelivered = [
            dead_letter
            for dead_letter in run_with_kafka(settings.kafka, open_dead_letters(settings, name))
            if event in {None, dead_letter.event.id if dead_letter.event else None}
            and authorization in {None, dead_letter.event.subject if dead_letter.event else None}
        ]
        if event is not None and not undelivered:
            fail(Exit.FAILED, "the subscription has no open dead letter of this event")
        result = run_with_kafka(settings.kafka, redrive_dead_letters(settings, subscription, undelivered, note))
    else:
        start = _position(position, settings.topics.partitions) if position is not None else _time(since or "")
        result = run_with_kafka(
            settings.kafka, redrive_from(settings, subscription, start, note, authorization_id=authorization)
        )
    _report(name, result, lines, as_json=as_json)


def _report(name: str, result: "RedriveResult", lines: list[RedrivenLine], *, as_json: bool) -> None:
    stopped = [
        {"position": f"{number}:{offset}", "result": why} for number, (offset, why) in sorted(result.stopped.items())
    ]
    if as_json:
        counts = {"delivered": result.delivered, "skipped": result.skipped}
        print_json({"subscription": name, **counts, "stopped": stopped, "events": lines})
    else:
        typer.echo(f"{result.delivered} delivered, {result.skipped} skipped.")
        for partition in stopped:
            typer.echo(f"Stopped at {partition['position']}: {partition['result']}.", err=True)
    raise typer.Exit(Exit.FAILED if stopped or result.skipped else Exit.OK)


def _position(text: str, partitions: int) -> tuple[int, int]:
    found = _POSITION.fullmatch(text)
    if found is None or int(found[1]) >= partitions:
        fail(Exit.USAGE, f"--position: expected PARTITION:OFFSET with a partition below {partitions}, such as 3:1042")
    return int(found[1]), int(found[2])


def _time(text: str) -> datetime:
    return parse_time(parse_since(text))


def _line(replayed: "ReplayedEvent", outcome: "Outcome") -> RedrivenLine:
    match outcome:
        case Delivered(status):
            result = f"delivered ({status})"
        case NotDelivered(why, status):
            result = why if status is None else f"{why} ({status})"
        case _:
            result = "gone (410)"
    event = replayed.event
    return {
        "position": f"{replayed.partition}:{replayed.offset}",
        "authorization": event.subject if event else None,
        "sequence": _number(event.extensions.get("sequence")) if event else None,
        "event": event.id if event else None,
        "result": result,
    }


def _row(dead_letter: "UndeliveredEvent") -> dict[str, object]:
    event, failed = dead_letter.event, dead_letter.failed
    return {
        "position": failed.position,
        "authorization": event.subject if event else None,
        "sequence": _number(event.extensions.get("sequence")) if event else None,
        "type": event.type if event else None,
        "event": event.id if event else None,
        "result": failed.result,
        "status": failed.status,
        "since": format_time(datetime.fromtimestamp(failed.since, UTC)),
        "deadAt": format_time(datetime.fromtimestamp(failed.dead_at, UTC)),
    }


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
