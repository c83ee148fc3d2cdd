"""A list of the API as a verb shows it: declared once, read page by page, laid out for wide and narrow terminals."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gateway.cli.api_client import ApiClient, fail, print_json, report_errors
from gateway.cli.formatting import console, progress, stacked, table_of
from runtime.exits import Exit
from runtime.units import parse_duration
from schemas.times import format_time, parse_time

PAGE = 200
Json = dict[str, Any]
Cells = Mapping[str, str | Text]
MetadataOption = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Metadata of a command; repeatable.")
]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of entries.")]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list and its columns.

    Attributes:
        path: of the API; `member` is the member of a page with the entries.
        columns: by name, the cell of an entry; its second argument is now (RFC 3339).
        unwrapped: the columns that keep each value on one line.
        lines: the head and the second line of an entry in a terminal that is narrower than `wide`.
        empty: the text for a list without entries.
        notes: the lines below a list, from its entries and its last page.
    """

    path: str
    member: str
    columns: Mapping[str, Callable[[Json, str], str | Text]]
    unwrapped: Collection[str]
    lines: Callable[[Cells], tuple[Text, str]]
    wide: int
    empty: str
    notes: Callable[[list[Json], Json], Iterable[str]] = lambda _entries, _page: ()

    def show(
        self, url: str, key_file: Path | None, query: Json, limit: int, *, as_json: bool, empty: str | None = None
    ) -> None:
        """Print up to `limit` entries; end the program if the gateway does not answer."""
        with report_errors(), progress(f"reading {self.path}"):
            entries, page = self.read(ApiClient(url, key_file), limit, query)
        if as_json:
            for entry in entries:
                print_json(entry)
        elif entries:
            output = console()
            output.print(self.layout(entries, format_time(datetime.now(UTC)), output.width))
            for line in self.notes(entries, page):
                typer.echo(line)
        else:
            typer.echo(empty or self.empty)

    def read(self, gateway: ApiClient, limit: int, query: Json) -> tuple[list[Json], Json]:
        """Return up to `limit` entries, page by page, and the last page. Raises as `ApiClient.read`."""
        entries: list[Json] = []
        cursor = None
        while True:
            page = gateway.read(self.path, limit=min(PAGE, limit - len(entries)), cursor=cursor, **query)
            entries += page[self.member]
            cursor = page.get("next")
            if cursor is None or len(entries) >= limit:
                return entries, page

    def layout(self, entries: Iterable[Json], now: str, width: int) -> Table | Group:
        """Return a table, or two lines for each entry in a narrow terminal. Pure."""
        rows = ({name: cell(entry, now) for name, cell in self.columns.items()} for entry in entries)
        if width < self.wide:
            return Group(*(part for row in rows for part in stacked(*self.lines(row))))
        return table_of(tuple(self.columns), (tuple(row.values()) for row in rows), self.unwrapped)


def metadata_query(pairs: list[str] | None) -> dict[str, str]:
    """Return the query parameters of `--metadata KEY=VALUE`; end with a usage error for another form."""
    named = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            fail(Exit.USAGE, "--metadata: expected KEY=VALUE, such as case=case-0042")
        named[f"metadata.{key}"] = value
    return named


def parse_since(text: str) -> str:
    """Return the time that `--since` states; end with a usage error for another form."""
    try:
        return format_time(datetime.now(UTC) - parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        return format_time(parse_time(text))
    except ValueError:
        fail(Exit.USAGE, "--since: expected a duration like 2h or 3d, or a time like 2026-06-02T14:00:00Z")
