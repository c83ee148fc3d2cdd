"""`gateway shadow feed` and `gateway shadow report`."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.api_client import DEFAULT_URL, KeyFile, RequestRejected, RetryPolicy, Url, connected, event, operations
from cli.audit.event_reader import EventReader
from cli.formatting import console, table_of
from cli.kafka import run_with_kafka
from cli.lists.listing import parse_since
from cli.shadow.comparison import Comparison, Verdict, compare, counts
from cli.shadow.html_report import WORDS, render
from cli.shadow.mirror import UnusableLine, read_line
from cli.terminal import AsOneJson, fail, print_json
from runtime.exits import Exit
from runtime.settings import load_cluster_settings
from schemas.enums import short_type
from schemas.fields.visible_text import escaped
from schemas.times import format_time, parse_time

if TYPE_CHECKING:
    from schemas.records import PublishedEvent

_SOURCE: Final = "/gateway-shadow-feed"
# An authorization may have moved on by then, so the comparison says little.
_LATE: Final = timedelta(seconds=30)
_RETRIES: Final = RetryPolicy(deadline_seconds=600.0, attempt_seconds=15.0, longest_pause_seconds=30.0)
# Problems of the caller, not of a line.
_OF_THE_CALLER: Final = {"unauthenticated", "not-permitted", "step-up-required"}
_SHOWN: Final = 20


def feed(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(metavar="FILE", help="JSON lines of mirrored commands; - is standard input."),
    ],
    *,
    url: Url = DEFAULT_URL,
    key_file: KeyFile = None,
) -> None:
    """Send mirrored commands to the ingress of a shadow, one by one, in the order of FILE.

    A line is a JSON object: time, caller, type (handoff.request, handoff.close
    or authorization.watch), authorizationId, data (the body of the command; a
    close has its handoffId), and optionally id. A file can be fed again: the
    same line is the same command. docs/shadow.md shows a mirror.

      tail -n +1 -F mirror.jsonl | gateway shadow feed -

    Exit codes:

      0   every line was accepted
      1   some lines were not accepted; standard error says which and why. Or
          the gateway is no shadow, or rejects the key
      69  the gateway is unavailable; feed the file again
    """
    accepted = late = wrong = 0
    with connected(url, key_file, _RETRIES) as gateway:
        # A gateway that writes would apply each command a second time.
        if not gateway.send(operations.read_me()).get("shadow"):
            fail(Exit.FAILED, f"{url} is no shadow: it would apply the commands. Nothing was sent")
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            line = read_line(text)
            if isinstance(line, UnusableLine):
                wrong += 1
                _say(f"line {number}: {line.expected}")
                continue
            try:
                gateway.send(event(line.type, line.authorization_id, line.data, source=_SOURCE, event_id=line.id))
            except RequestRejected as rejection:
                if rejection.slug in _OF_THE_CALLER:
                    raise
                wrong += 1
                _say(f"line {number}: {rejection}")
                continue
            accepted += 1
            late += datetime.now(UTC) - line.at > _LATE
    typer.echo(f"{accepted} commands were accepted, {late} of them more than {_LATE.seconds} s after their time.")
    if wrong:
        fail(Exit.FAILED, f"{wrong} lines were not accepted")


def report(
    *,
    within: Annotated[int, typer.Option(min=1, help="Seconds after a decision in which an act counts.")] = 300,
    since: Annotated[str | None, typer.Option("--since", help="First time: 2h, 3d, or an RFC 3339 time.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Also write the report as a page to this file.")] = None,
    as_json: AsOneJson = False,
) -> None:
    """Compare the decisions of a shadow with what then happened at Collate, by caller and payer.

    It reads the topic `events` with the Kafka settings of this process. The
    classes: same; different; nothing followed; already done when read; version
    moved, without such an act; undecided. docs/shadow.md explains them.

    Exit codes:

      0   complete
      3   the topic may have lost events of the span, or has events of a newer
          version
      69  Kafka is unreachable
      78  these are not the topics of a shadow
    """
    settings = load_cluster_settings(os.environ)
    if not settings.is_shadow:
        fail(Exit.CONFIG, "GATEWAY_TOPICS__PREFIX: expected the prefix of a shadow, which contains `shadow`")
    now = datetime.now(UTC)
    reader = EventReader(settings, None if since is None else parse_time(parse_since(since)), now)
    found = compare(_events(reader), now, timedelta(seconds=within))
    title = f"Shadow {settings.environment} until {format_time(now.replace(microsecond=0))}, within {within} s"
    if html is not None:
        html.write_text(render(found, title))
    if as_json:
        print_json({"within": within, "commands": [_shown(comparison) for comparison in found]}, indent=2)
    else:
        rows = [(caller, payer, *map(str, of.values())) for (caller, payer), of in counts(found).items()]
        console().print(table_of(("caller", "payer", *WORDS.values()), rows))
        different = [case for case in found if case.verdict is Verdict.DIFFERENT]
        for case in different[:_SHOWN]:
            decided = f"{case.decided}, then {case.followed}"
            typer.echo(escaped(f"{format_time(case.at)} {case.authorization_id} by {case.caller}: {decided}"))
        if len(different) > _SHOWN:
            typer.echo(f"and {len(different) - _SHOWN} more that differ: see --json or --html")
    if reader.is_cut or reader.unreadable:
        _say("the topic may have lost events of this span, or has events of a newer version")
        raise typer.Exit(Exit.CHANGES)


def _events(reader: "EventReader") -> "list[PublishedEvent]":
    """Read the events. Ends the verb if Kafka is unreachable."""

    async def read() -> "list[PublishedEvent]":
        return [event async for event in reader.events()]

    return run_with_kafka(reader.settings.kafka, read())


def _shown(one: "Comparison") -> dict[str, object]:
    return {
        "authorizationId": one.authorization_id,
        "commandId": one.command_id,
        "command": short_type(one.command),
        "caller": one.caller,
        "payer": one.payer,
        "at": format_time(one.at),
        "decided": one.decided,
        "followed": one.followed,
        "verdict": one.verdict.value,
    }


def _say(line: str) -> None:
    typer.echo(escaped(line), err=True)
