"""`gateway timeline` and `watch`: the history of an authorization."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.api_client import (
    DEFAULT_URL,
    ApiClient,
    GatewayUnavailable,
    KeyFile,
    Url,
    connected,
    models,
    operations,
)
from cli.formatting import WIDE, console, in_local_time, local_time, stacked, with_local_times
from cli.lists.listing import PAGE
from cli.terminal import AsJson, fail, print_json
from runtime.exits import Exit

_EVERY_SECONDS = 1.0
_SETTLED = frozenset({"authorization.settled", "authorization.watch_ended"})
_COLOURS = {"command": "blue", "handoff": "magenta", "authorization": "green", "attempt": "dim"}
_NUMBER, _TIME, _KIND, _COMMAND = 4, 12, 29, 8
AuthorizationArgument = Annotated[str, typer.Argument(metavar="AUTH", help="Collate's id of the authorization.")]


def timeline(
    authorization: AuthorizationArgument, *, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show the history of an authorization in order: commands, calls to Collate, and events."""
    with connected(url, key_file) as gateway:
        entries = list(_entries(gateway, authorization))
    if as_json:
        for entry in entries:
            print_json(entry)
        return
    if not entries:
        fail(Exit.FAILED, f"{authorization} is unknown: it has no commands, or its entries have expired")
    _Timeline().show(entries)


def watch(
    authorization: AuthorizationArgument, *, url: Url = DEFAULT_URL, key_file: KeyFile = None, as_json: AsJson = False
) -> None:
    """Show new entries of an authorization live, until it is settled or you press Ctrl-C.

    Retries while the gateway or its database is unavailable.
    """
    with contextlib.suppress(KeyboardInterrupt), connected(url, key_file) as gateway:
        _watch(gateway, authorization, as_json=as_json)


def _entries(gateway: ApiClient, authorization: str) -> Iterator[models.TimelineEntry]:
    for page in gateway.pages(operations.read_timeline(authorization, {"limit": PAGE})):
        yield from page["entries"]


def _watch(gateway: ApiClient, authorization: str, *, as_json: bool) -> None:
    printed = _Timeline()
    seen: set[tuple[object, ...]] = set()
    last_problem = ""
    while True:
        problem = ""
        try:
            new = [entry for entry in _entries(gateway, authorization) if _identity(entry) not in seen]
        except GatewayUnavailable as error:
            new, problem = [], f"{error}; retrying"
        if not (seen or new or problem):
            problem = f"{authorization} has no entries yet; waiting"
        if problem and problem != last_problem:
            typer.echo(f"gateway: {problem}", err=True)
        last_problem = problem
        seen.update(_identity(entry) for entry in new)
        if as_json:
            for entry in new:
                print_json(entry)
        else:
            printed.show(new)
        if any(entry["kind"] in _SETTLED for entry in new):
            return
        time.sleep(_EVERY_SECONDS)


class _Timeline:
    """A printer of entries that prints each day above its first entry."""

    def __init__(self) -> None:
        self._console = console()
        self._day: str | None = None

    def show(self, entries: Iterable[models.TimelineEntry]) -> None:
        """Print entries."""
        for entry in entries:
            if self._day is None and (head := headline(self._console.width)):
                self._console.print(head)
            if (day := _day_of(entry)) != self._day:
                self._day = day
                self._console.print(Text(day, "bold"))
            for line in entry_of(entry, self._console.width):
                self._console.print(line)


def _identity(entry: models.TimelineEntry) -> tuple[object, ...]:
    return entry["at"], entry["kind"], entry.get("sequence"), entry.get("commandId")


def _day_of(entry: models.TimelineEntry) -> str:
    """Return an entry's day in local time."""
    return local_time(entry["at"])[:10]


def headline(width: int) -> Text:
    """Return the column names of entries, or an empty text if the terminal is too narrow for columns."""
    if width < WIDE:
        return Text()
    names = (("#", _NUMBER), ("time", _TIME), ("event", _KIND), ("command", _COMMAND))
    return Text("  ".join(f"{name:<{size}}" for name, size in names) + "  description", "bold")


def entry_of(entry: models.TimelineEntry, width: int) -> list[RenderableType]:
    """Lay out one entry of a timeline."""
    number, time = (
        str(entry.get("sequence", "·")),
        in_local_time(entry["at"]).isoformat(sep=" ", timespec="milliseconds")[11:23],
    )
    kind = Text(entry["kind"], _COLOURS.get(entry["kind"].partition(".")[0], ""))
    command, says = Text(entry.get("commandId", "")[:_COMMAND], "dim"), with_local_times(entry["says"])
    if width < WIDE:
        return stacked(Text("  ").join((Text(number), Text(time), kind, command)), says)
    row = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    for size in (_NUMBER, _TIME, _KIND, _COMMAND):
        row.add_column(width=size, overflow="fold")
    row.add_column(overflow="fold")
    row.add_row(number, time, kind, command, Text(says))
    return [row]
