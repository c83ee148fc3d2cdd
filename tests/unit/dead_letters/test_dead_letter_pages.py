"""Pages of dead letters: each letter comes once, also if many have the same time."""

import itertools
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

import pytest

from gateway.ingress.dead_letters.index import MAX_ENTRIES, DeadLetterIndex
from schemas.api.queries import DeadLettersQuery
from schemas.dead_letter import DeadLetter, OriginalRecord
from schemas.records import write_dead_letter

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
ALL = DeadLettersQuery()


def index_of(*minutes, callers=None, max_entries=MAX_ENTRIES):
    """An index with one dead letter for each time."""
    index = DeadLetterIndex(max_entries)
    for number, minute in enumerate(minutes):
        dead_letter = DeadLetter(
            command_id=str(uuid5(NAMESPACE_OID, str(number))),
            command="collate-gateway.handoff.request.v1",
            caller=callers[number] if callers else "intake",
            authorization_id=f"auth_{number}",
            accepted_at=NOW - timedelta(hours=2),
            dead_at=NOW - timedelta(minutes=minute),
            cause="too_old",
            advice="Read its last event.",
            redrive=0,
            intents=[],
            record=OriginalRecord.of(0, number, (), b"{}"),
        )
        assert index.add(0, number, *write_dead_letter(dead_letter, "/test"))
    return index


def pages(index, limit):
    """Follow the pages to the end."""
    after, found = None, []
    for _ in range(100):
        page = index.page(ALL, after, limit, NOW)
        found.append([entry.order for entry in page.entries])
        if not page.has_more:
            return found
        after = page.entries[-1].order
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 7, 10, 11])
def test_pages_neither_skip_nor_repeat_letters_of_equal_time(limit):
    index = index_of(*[30] * 5, *[20] * 4, 10)
    found = pages(index, limit)
    orders = list(itertools.chain(*found))
    assert len(orders) == 10
    assert orders == sorted(set(orders))
    assert {len(page) for page in found[:-1]} <= {limit}


def test_a_page_begins_after_the_last_letter_of_the_page_before():
    index = index_of(30, 30, 30)
    (first, second, third) = pages(index, 1)
    assert index.page(ALL, first[0], 9, NOW).entries[0].order == second[0]
    assert index.page(ALL, third[0], 9, NOW).entries == ()


def test_an_expired_letter_is_on_no_page():
    index = index_of(30, 60 * 24 * 30 + 1, 60 * 24 * 30)
    page = index.page(ALL, None, 9, NOW)
    assert (page.matching, len(page.entries), len(index)) == (2, 2, 2)


def test_one_caller_cannot_take_the_places_of_another():
    callers = ["portal", *["reporting"] * 9, "portal"]
    index = index_of(*range(20, 9, -1), callers=callers, max_entries=4)
    kept = index.page(ALL, None, 10, NOW).entries
    assert [(entry.summary.caller, entry.offset) for entry in kept] == [
        ("portal", 0),
        ("reporting", 8),
        ("reporting", 9),
        ("portal", 10),
    ]
    assert (index.left_out, index.open_by_cause["too_old"]) == (7, 4)
