"""`gateway status | timeline | watch`: what became of a command, and what happened or happens to an authorization."""

import contextlib
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gateway.cli.api_client import HERE, ApiClient, AsJson, KeyFile, Unanswered, Url, fail, print_json
from gateway.cli.formatting import console, day_of, entry_of, headline, local_time
from runtime.exits import Exit

_PANEL = "What happened"
_EVERY_SECONDS = 1.0
_SETTLED = frozenset({"authorization.settled", "authorization.watch_ended"})
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
    caller = ApiClient(url, key_file)
    try:
        found = caller.get("commands", command, at=at)
    except Unanswered as unanswered:
        fail(Exit.UNAVAILABLE, str(unanswered))
    if as_json:
        print_json(found)
        return
    rows = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _flat(found):
        rows.add_row(Text(name, "bold"), Text(_moment(name, value) or str(value), overflow="fold"))
    console().print(rows)


def timeline(
    authorization: AuthorizationArgument, *, url: Url = HERE, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show what was asked for an authorization, what was tried, and what happened, in order."""
    caller = ApiClient(url, key_file)
    try:
        entries = list(caller.timeline(authorization))
    except Unanswered as unanswered:
        fail(Exit.UNAVAILABLE, str(unanswered))
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    if not entries:
        fail(Exit.FAILED, f"nothing is known of {authorization}: nothing was asked for it, or it is past retention")
    _Timeline().show(entries)


def watch(
    authorization: AuthorizationArgument, *, url: Url = HERE, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show what happens to an authorization as it happens, until it is settled or you press Ctrl-C.

    Goes on by itself when the gateway or its database was away.
    """
    caller = ApiClient(url, key_file)
    with contextlib.suppress(KeyboardInterrupt):
        _watch(caller, authorization, as_json=as_json)


def _watch(caller: ApiClient, authorization: str, *, as_json: bool) -> None:
    shown = _Timeline()
    seen: set[tuple[Any, ...]] = set()
    told = ""
    while True:
        trouble = ""
        try:
            fresh = [entry for entry in caller.timeline(authorization) if _identity(entry) not in seen]
        except Unanswered as unanswered:
            fresh, trouble = [], f"{unanswered}; asking on"
        if not (seen or fresh or trouble):
            trouble = f"nothing is known of {authorization} yet; waiting"
        if trouble and trouble != told:
            typer.echo(f"gateway: {trouble}", err=True)
        told = trouble
        seen.update(_identity(entry) for entry in fresh)
        if as_json:
            for entry in fresh:
                print_json(entry)
        else:
            shown.show(fresh)
        if any(entry["kind"] in _SETTLED for entry in fresh):
            return
        time.sleep(_EVERY_SECONDS)


class _Timeline:
    """Prints entries one below the other, and each new day above its first."""

    def __init__(self) -> None:
        self._console = console()
        self._day: str | None = None

    def show(self, entries: Iterable[dict[str, Any]]) -> None:
        """Print these."""
        for entry in entries:
            if self._day is None and (head := headline(self._console.width)):
                self._console.print(head)
            if (day := day_of(entry)) != self._day:
                self._day = day
                self._console.print(Text(day, "bold"))
            for line in entry_of(entry, self._console.width):
                self._console.print(line)


def _identity(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["at"], entry["kind"], entry.get("sequence"), entry.get("commandId")


def _flat(found: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _moment(name: str, value: object) -> str | None:
    """Return a time as people here read it; None for anything else."""
    if not isinstance(value, str) or len(value) < 20 or value[10:11] != "T" or not value.endswith("Z"):
        return None
    try:
        has_passed = name == "waiting.until" and datetime.fromisoformat(value) < datetime.now(UTC)
        return local_time(value) + (" (and again since then, for the same reason)" if has_passed else "")
    except ValueError:
        return None
