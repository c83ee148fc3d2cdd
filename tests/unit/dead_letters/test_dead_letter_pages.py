"""Pages of dead letters: each letter comes once, also if many have the same time."""

import asyncio
import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

import pytest

from gateway.ingress.dead_letters.index import MAX_ENTRIES, DeadLetterIndex, after, digest_of
from schemas.api.queries import DeadLettersQuery
from schemas.dead_letter import DeadLetter, DeadLetterEnded, OriginalRecord
from schemas.enums import Outcome
from schemas.records import write_dead_letter, write_dead_letter_ended
from schemas.times import format_time

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


async def pages(index, limit):
    """Follow the pages to the end."""
    last, found = None, []
    for _ in range(100):
        rest = after(await index.matching(ALL, NOW), last)
        found.append([entry.order for entry in rest[:limit]])
        if len(rest) <= limit:
            return found
        last = rest[limit - 1].order
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 7, 10, 11])
async def test_pages_neither_skip_nor_repeat_letters_of_equal_time(limit):
    index = index_of(*[30] * 5, *[20] * 4, 10)
    found = await pages(index, limit)
    orders = list(itertools.chain(*found))
    assert len(orders) == 10
    assert orders == sorted(set(orders))
    assert {len(page) for page in found[:-1]} <= {limit}


async def test_a_page_begins_after_the_last_letter_of_the_page_before():
    index = index_of(30, 30, 30)
    (first, second, third) = await pages(index, 1)
    matching = await index.matching(ALL, NOW)
    assert after(matching, first[0])[0].order == second[0]
    assert not after(matching, third[0])


async def test_an_expired_letter_is_on_no_page():
    index = index_of(30, 60 * 24 * 30 + 1, 60 * 24 * 30)
    assert (len(await index.matching(ALL, NOW)), len(index)) == (2, 2)
    assert (await index.matching(ALL, NOW + timedelta(days=40)), len(index)) == ([], 0)


async def test_one_caller_cannot_take_the_places_of_another():
    callers = ["portal", *["reporting"] * 9, "portal"]
    index = index_of(*range(20, 9, -1), callers=callers, max_entries=4)
    kept = await index.matching(ALL, NOW)
    assert [(entry.summary.caller, entry.offset) for entry in kept] == [
        ("portal", 0),
        ("reporting", 8),
        ("reporting", 9),
        ("portal", 10),
    ]
    assert (index.left_out, index.open_by_cause["too_old"]) == (7, 4)


class Loop:
    """Counts the turns of other tasks, while a coroutine runs."""

    def __init__(self):
        self.turns = 0

    async def run(self, coroutine):
        running = asyncio.ensure_future(coroutine)
        while not running.done():
            await asyncio.sleep(0)
            self.turns += 1
        return running.result()


async def test_a_list_of_many_gives_way_to_other_tasks_and_shows_one_moment(monkeypatch):
    monkeypatch.setattr("gateway.ingress.dead_letters.index.PIECE", 10)
    index, loop = index_of(*range(100, 0, -1), callers=["a", "b"] * 50), Loop()
    everything = await loop.run(index.matching(ALL, NOW))
    assert (len(everything), loop.turns) == (100, 1), "without a condition nothing is compared"
    ours = DeadLettersQuery(caller="a")
    listing = asyncio.ensure_future(index.matching(ours, NOW))
    await asyncio.sleep(0)
    ended = DeadLetterEnded(command_id=everything[98].summary.command_id, outcome=Outcome.DISCARDED, ended_at=NOW)
    index.add(0, 100, *write_dead_letter_ended("auth_98", ended, "/test"))
    assert len(await loop.run(listing)) == 50
    assert loop.turns >= 9
    assert len(await index.matching(ours, NOW)) == 49
    digest = await loop.run(digest_of(everything))
    assert loop.turns >= 18
    rows = [one.summary for one in everything]
    lines = "".join(f"{one.command_id} {one.redrive} {format_time(one.dead_at)}\n" for one in rows)
    assert digest == hashlib.blake2b(lines.encode(), digest_size=16).hexdigest(), "as every other version computes it"
