"""The selection of dead letters by filters or ids, read page by page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.cli.api_client import ApiClient, fail, report_errors
from gateway.cli.formatting import progress
from runtime.exits import Exit

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """Filters on dead letters. `since` is an RFC 3339 time."""

    cause: str | None = None
    command: str | None = None
    caller: str | None = None
    authorization: str | None = None
    since: str | None = None

    @property
    def query(self) -> dict[str, str | None]:
        """Return the filters as query parameters."""
        return {
            "cause": self.cause,
            "command": self.command,
            "caller": self.caller,
            "authorizationId": self.authorization,
            "since": self.since,
        }

    @property
    def are_set(self) -> bool:
        """Whether at least one filter is set."""
        return any(self.query.values())


@dataclass(frozen=True, slots=True)
class Seen:
    """The dead letters that the operator saw. If filters chose them: the filters with `before`, and the digest."""

    dead_letters: list[dict[str, Any]]
    chosen_by: dict[str, str | None] | None = None
    digest: str = ""


def select(gateway: ApiClient, ids: list[str], filters: Filters, *, everything: bool) -> Seen:
    """Return the dead letters with these ids, or all that match the filters."""
    if bool(ids) == everything or (ids and filters.are_set):
        fail(Exit.USAGE, "give either command ids, or --all with optional filters")
    with report_errors(), progress("reading dead letters"):
        if everything:
            return read_matching(gateway, filters.query)
        return Seen([gateway.read("dead-letters", command_id) for command_id in dict.fromkeys(ids)])


def read_matching(gateway: ApiClient, query: Mapping[str, str | None]) -> Seen:
    """Return all dead letters that match now, with their digest. Without `before` in the query, it becomes now.

    Raises GatewayUnavailable, RequestRejected.
    """
    page = gateway.read("dead-letters", limit=_PAGE, digest="true", **query)
    chosen_by, digest = {**query, "before": page["at"]}, page["digest"]
    dead_letters = list(page["deadLetters"])
    while (cursor := page.get("next")) is not None:
        page = gateway.read("dead-letters", limit=_PAGE, cursor=cursor, **chosen_by)
        dead_letters += page["deadLetters"]
    return Seen(dead_letters, chosen_by, digest)
