"""The selection of dead letters by filters or ids, read page by page."""

from collections.abc import Sequence
from dataclasses import dataclass

from cli.api_client import ApiClient, operations
from cli.dead_letters.decisions import DeadLetter
from cli.formatting import progress
from cli.lists.listing import PAGE
from cli.terminal import fail
from runtime.exits import Exit

Filters = operations.ListDeadLettersQuery


@dataclass(frozen=True, slots=True)
class Matching:
    """The dead letters that matched when the operator saw them: the filters with `before`, and their digest."""

    dead_letters: Sequence[DeadLetter]
    filters: Filters
    digest: str


def select(
    gateway: ApiClient, ids: Sequence[str], filters: Filters, *, everything: bool
) -> Matching | Sequence[DeadLetter]:
    """Return all dead letters that match the filters, or those with these ids. Raises as `ApiClient.send`."""
    if bool(ids) == everything or (ids and filters):
        fail(Exit.USAGE, "give either command ids, or --all with optional filters")
    with progress("reading dead letters"):
        if everything:
            return read_matching(gateway, filters)
        each: dict[str, None] = dict.fromkeys(ids, None)
        return [gateway.read(operations.read_dead_letter(command_id)) for command_id in each]


def read_matching(gateway: ApiClient, filters: Filters) -> Matching:
    """Return all dead letters that match now, with their digest. Without `before` in the filters, it becomes now.

    Raises GatewayUnavailable, RequestRejected.
    """
    page = gateway.read(operations.list_dead_letters({**filters, "limit": PAGE, "digest": "true"}))
    filters, digest, dead_letters = {**filters, "before": page["at"]}, page["digest"], list(page["deadLetters"])
    if "next" in page:
        rest = operations.list_dead_letters({**filters, "limit": PAGE, "cursor": page["next"]})
        for following in gateway.pages(rest):
            dead_letters += following["deadLetters"]
    return Matching(dead_letters, filters, digest)
