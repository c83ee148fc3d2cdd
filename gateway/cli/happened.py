"""`gateway status | timeline | watch`: what became of a command, and what happened or happens to an authorization."""

import contextlib
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.cli.caller import HERE, AsJson, Caller, KeyFile, Unanswered, Url, fail, print_json
from gateway.runtime.exits import Exit

_PANEL = "What happened"
_EVERY_SECONDS = 1.0
_SETTLED = frozenset({"authorization.settled", "authorization.watch_ended"})
_COLOURS = {"command": "blue", "handoff": "magenta", "authorization": "green", "attempt": "dim"}
CommandArgument = Annotated[str, typer.Argument(metavar="COMMAND", help="The commandId of a 202.")]
AuthorizationArgument = Annotated[str, typer.Argument(metavar="AUTH", help="Collate's id of the authorization.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(rich_help_panel=_PANEL)(status)
    app.command(rich_help_panel=_PANEL)(timeline)
    app.command(rich_help_panel=_PANEL)(watch)


def status(
    command: CommandArgument,
    at: Annotated[str | None, typer.Option(help="From the 202's Location, for one that has just been kept.")] = None,
    *,
    url: Url = HERE,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Show how a command is: accepted, waiting and why, waiting for a person, or finished and how."""
    caller = Caller(url, key_file)
    try:
        found = caller.get("commands", command, at=at)
    except Unanswered as unanswered:
        fail(Exit.UNAVAILABLE, str(unanswered))
    if as_json:
        print_json(found)
        return
    rows = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _flat(found):
        rows.add_row(Text(name, "bold"), Text(_moment(value) or str(value)))
    _console().print(rows)


def timeline(
    authorization: AuthorizationArgument, *, url: Url = HERE, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show what was asked for an authorization, what was tried, and what happened, in order."""
    caller = Caller(url, key_file)
    try:
        entries = list(caller.timeline(authorization))
    except Unanswered as unanswered:
        fail(Exit.UNAVAILABLE, str(unanswered))
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    if not entries:
        fail(Exit.FAILED, "nothing is known of this authorization")
    _console().print(table_of(entries))


def watch(
    authorization: AuthorizationArgument, *, url: Url = HERE, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show what happens to an authorization as it happens, until it is settled or you press Ctrl-C.

    Goes on by itself when the gateway or its database was away.
    """
    caller = Caller(url, key_file)
    with contextlib.suppress(KeyboardInterrupt):
        _watch(caller, authorization, as_json=as_json)


def _watch(caller: Caller, authorization: str, *, as_json: bool) -> None:
    console = _console()
    seen: set[tuple[Any, ...]] = set()
    told = ""
    while True:
        try:
            fresh = [entry for entry in caller.timeline(authorization) if _identity(entry) not in seen]
            told = ""
        except Unanswered as unanswered:
            fresh = []
            if str(unanswered) != told:
                told = str(unanswered)
                typer.echo(f"gateway: {told}; asking on", err=True)
        for entry in fresh:
            seen.add(_identity(entry))
            if as_json:
                print_json(entry)
            else:
                console.print(_line(entry))
        if any(entry["kind"] in _SETTLED for entry in fresh):
            return
        time.sleep(_EVERY_SECONDS)


def table_of(entries: Iterable[dict[str, Any]]) -> Table:
    """Lay out a timeline for people."""
    rows = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for column in ("#", "time", "what", "command"):
        rows.add_column(column, no_wrap=True)
    rows.add_column("in words")
    day = ""
    for entry in entries:
        at = _local(entry["at"])
        if at[:10] != day:
            day = at[:10]
            rows.add_row("", Text(day, "bold"), "", "", "")
        command = entry.get("commandId", "")[:8]
        number = str(entry.get("sequence", ""))
        rows.add_row(number, at[11:23], _kind(entry), Text(command, "dim"), Text(entry["says"]))
    return rows


def _line(entry: dict[str, Any]) -> Text:
    return Text.assemble((_local(entry["at"])[11:23], "dim"), "  ", _kind(entry, width=30), "  ", Text(entry["says"]))


def _kind(entry: dict[str, Any], width: int = 0) -> Text:
    kind = entry["kind"]
    return Text(f"{kind:<{width}}", _COLOURS.get(kind.partition(".")[0], ""))


def _identity(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["at"], entry["kind"], entry.get("sequence"), entry.get("commandId")


def _flat(found: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _moment(value: object) -> str | None:
    """Return a time as people here read it; None for anything else."""
    if not isinstance(value, str) or len(value) < 20 or value[10:11] != "T" or not value.endswith("Z"):
        return None
    try:
        return _local(value)
    except ValueError:
        return None


def _local(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().isoformat(sep=" ", timespec="milliseconds")


def _console() -> Console:
    return Console(highlight=False)
