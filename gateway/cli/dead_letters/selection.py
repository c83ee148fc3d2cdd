"""Which dead letters: what an operator's filters or names leave, read page by page; and what is said meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from gateway.cli.api_client import ApiClient, Declined, Unanswered, fail
from runtime.exits import Exit
from runtime.units import parse_duration
from schemas.times import format_time, parse_time

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """Which letters."""

    cause: str | None = None
    command: str | None = None
    caller: str | None = None
    authorization: str | None = None
    since: str | None = None

    @property
    def query(self) -> dict[str, str | None]:
        """Return them as the gateway takes them."""
        return {
            "cause": self.cause,
            "command": self.command,
            "caller": self.caller,
            "authorizationId": self.authorization,
            "since": None if self.since is None else _since(self.since),
        }

    @property
    def are_any(self) -> bool:
        """Whether anything is filtered."""
        return any(self.query.values())


def chosen(gateway: ApiClient, ids: list[str], filters: Filters, *, everything: bool) -> list[dict[str, Any]]:
    """Return the letters that were named, or all that the filters leave."""
    if bool(ids) == everything or (ids and filters.are_any):
        fail(Exit.USAGE, "name commands, or say --all, with filters if you like")
    with told(), progress("reading the dead letters"):
        if everything:
            return collect(gateway, filters, None)[0]
        return [gateway.read("dead-letters", one) for one in dict.fromkeys(ids)]


def collect(gateway: ApiClient, filters: Filters, most: int | None) -> tuple[list[dict[str, Any]], int, int]:
    """Return the first letters, all if `most` is None; how many there are; and how many the gateway left out."""
    letters: list[dict[str, Any]] = []
    cursor = None
    while True:
        size = _PAGE if most is None else min(_PAGE, most - len(letters))
        page = gateway.read("dead-letters", limit=size, cursor=cursor, **filters.query)
        letters += page["deadLetters"]
        cursor = page.get("next")
        if cursor is None or (most is not None and len(letters) >= most):
            return letters, page["matching"], page["leftOut"]


def _since(text: str) -> str:
    try:
        return format_time(datetime.now(UTC) - parse_duration(text))
    except ValueError:
        pass
    try:
        return format_time(parse_time(text))
    except ValueError:
        fail(Exit.USAGE, "--since: expected a duration like 2h or 3d, or a time like 2026-06-02T14:00:00Z")


@contextmanager
def told() -> Iterator[None]:
    """End the program with a sentence where the gateway does not answer, or says no."""
    try:
        yield
    except Unanswered as unanswered:
        fail(Exit.UNAVAILABLE, str(unanswered))
    except Declined as declined:
        fail(Exit.FAILED, str(declined))


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show that something goes on, to people only."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(f"{what} …"):
        yield
