"""What the verbs that list have in common: the filter by metadata, times, and all pages up to a limit."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.api_client import ApiClient, fail
from runtime.exits import Exit
from runtime.units import parse_duration
from schemas.times import format_time, parse_time

PAGE = 200
Json = dict[str, Any]
MetadataOption = Annotated[
    list[str] | None, typer.Option("--metadata", metavar="KEY=VALUE", help="Metadata of a command; repeatable.")
]
Limit = Annotated[int, typer.Option(min=1, help="Maximum number of entries.")]


def read_rows(gateway: ApiClient, path: str, member: str, limit: int, query: Json) -> list[Json]:
    """Return up to `limit` rows of a list, page by page. `member` has a page's rows. Raises as `ApiClient.read`."""
    rows: list[Json] = []
    cursor = None
    while True:
        page = gateway.read(path, limit=min(PAGE, limit - len(rows)), cursor=cursor, **query)
        rows += page[member]
        cursor = page.get("next")
        if cursor is None or len(rows) >= limit:
            return rows


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
