"""A list as a verb shows it: declared once, read page by page, laid out for wide and narrow terminals."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from cli.api_client import ApiClient, Call, SomePage, connected
from cli.formatting import console, progress, stacked, table_of
from cli.terminal import fail, print_json
from runtime.exits import Exit
from runtime.units import parse_duration
from schemas.times import format_time, parse_time

PAGE = 200
Entry = TypeVar("Entry")
Cells = Mapping[str, str | Text]
MetadataOption = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Metadata of a command; repeatable.")
]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of entries.")]


@dataclass(frozen=True, slots=True)
class Columns(Generic[Entry]):
    """The columns of a table, and the lines of an entry in a narrow terminal.

    Attributes:
        cells: by name, the cell of an entry; its second argument is now (RFC 3339).
        unwrapped: the columns that keep each value on one line.
        lines: the head and the further lines of an entry in a terminal that is narrower than `wide`.
        heading: the style of the names.
    """

    cells: Mapping[str, Callable[[Entry, str], str | Text]]
    unwrapped: Collection[str]
    lines: Callable[[Cells], tuple[str | Text, ...]]
    wide: int
    heading: str = "bold"

    def layout(self, entries: Iterable[Entry], now: str, width: int) -> Table | Group:
        """Return a table, or a few lines for each entry in a narrow terminal. Pure."""
        rows = ({name: cell(entry, now) for name, cell in self.cells.items()} for entry in entries)
        if width < self.wide:
            return Group(*(part for row in rows for part in stacked(*self.lines(row))))
        return table_of(tuple(self.cells), (tuple(row.values()) for row in rows), self.unwrapped, self.heading)


def _no_notes(_entries: object, _page: object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Listing(Generic[SomePage, Entry]):
    """A list of the API.

    Attributes:
        entries: the entries of a page.
        columns: the layout.
        empty: the text for a list without entries.
        notes: the lines below a list, from its entries and its last page.
    """

    entries: Callable[[SomePage], list[Entry]]
    columns: Columns[Entry]
    empty: str
    notes: Callable[[list[Entry], SomePage], Iterable[str]] = _no_notes

    def show(
        self,
        url: str,
        key_file: Path | None,
        call: Call[SomePage],
        limit: int,
        *,
        as_json: bool,
        empty: str | None = None,
    ) -> None:
        """Print up to `limit` entries; end the program if the gateway does not answer."""
        with connected(url, key_file) as gateway, progress(f"reading {call.path.removeprefix('/v1/')}"):
            entries, page = self.read(gateway, call, limit)
        if as_json:
            for entry in entries:
                print_json(entry)
        elif entries:
            output = console()
            output.print(self.columns.layout(entries, format_time(datetime.now(UTC)), output.width))
            for line in self.notes(entries, page):
                typer.echo(line)
        else:
            typer.echo(empty or self.empty)

    def read(self, gateway: ApiClient, call: Call[SomePage], limit: int) -> tuple[list[Entry], SomePage]:
        """Return up to `limit` entries, page by page, and the last page. Raises as `ApiClient.send`."""
        entries: list[Entry] = []
        for page in gateway.pages(call):
            entries += self.entries(page)
            if len(entries) >= limit:
                break
        return entries[:limit], page


def parse_metadata(pairs: list[str] | None) -> dict[str, str]:
    """Return the pairs of `--metadata KEY=VALUE`; end with a usage error for another form."""
    found = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            fail(Exit.USAGE, "--metadata: expected KEY=VALUE, such as case=case-0042")
        found[key] = value
    return found


def time_ago(duration: str) -> str:
    """Return the time that is so long ago. Raises ValueError, OverflowError."""
    before: timedelta = parse_duration(duration)
    return format_time(datetime.now(UTC) - before)


def parse_since(text: str) -> str:
    """Return the time that `--since` states; end with a usage error for another form."""
    try:
        return time_ago(text)
    except (ValueError, OverflowError):
        pass
    try:
        return format_time(parse_time(text))
    except ValueError:
        fail(Exit.USAGE, "--since: expected a duration like 2h or 3d, or a time like 2026-06-02T14:00:00Z")
