"""The list of commands: the filter of a page's address, and the call of one page. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, cast, get_args

from console.api import Call, models, operations
from schemas.times import format_time

ROWS: Final = 50
STATES: Final[tuple[str, ...]] = get_args(models.CommandState)
KINDS: Final[tuple[str, ...]] = get_args(models.CommandKind)
OLDEST: Final = "oldest"
_AGES: Final = {
    "last-1-min": ("since", timedelta(minutes=1)),
    "last-1-h": ("since", timedelta(hours=1)),
    "last-24-h": ("since", timedelta(hours=24)),
    "last-7-d": ("since", timedelta(days=7)),
    "over-2-min": ("before", timedelta(minutes=2)),
    "over-1-h": ("before", timedelta(hours=1)),
    "over-24-h": ("before", timedelta(hours=24)),
}
# Each age bounds the time of acceptance. Its word is that of the address and, with spaces, that of the page.
AGES: Final = tuple(_AGES)
_CHOICES: Final = {"status": STATES, "kind": KINDS, "age": AGES, "order": (OLDEST,)}
_TEXTS: Final = ("reason", "caller", "authorizationId", "metadata")


def filters_of(query: Mapping[str, str]) -> dict[str, str]:
    """Return the filters that are set. An unknown word of a choice is dropped."""
    chosen = {name: query.get(name, "") for name, words in _CHOICES.items() if query.get(name) in words}
    return chosen | {name: text for name in _TEXTS if (text := query.get(name, "").strip())}


def commands_call(filters: Mapping[str, str], cursor: str | None, now: datetime) -> Call[models.CommandList]:
    """Return the call of a page. `metadata` has pairs such as `case=c-7 team=x`; the API refuses any other text."""
    pairs = [pair.partition("=") for pair in filters.get("metadata", "").split()]
    query: dict[str, object] = {
        name: filters.get(name) for name in ("status", "kind", "reason", "caller", "authorizationId")
    }
    query |= {"metadata": {key: value for key, _, value in pairs}, "order": filters.get("order", "newest")}
    if "age" in filters:
        bound, age = _AGES[filters["age"]]
        query[bound] = format_time(now - age)
    return operations.list_commands(cast("operations.ListCommandsQuery", query | {"cursor": cursor, "limit": ROWS}))
