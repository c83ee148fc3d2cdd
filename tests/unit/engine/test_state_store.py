import asyncio
from dataclasses import dataclass, field

import pytest

from consumers.engine.core.progress import HANDLER_KEY, MARKER_KEY, PROGRESS_KEY, RESERVED_KEYS
from consumers.engine.state_store import StateStore, restore, spread_timers, state_record


@dataclass
class Fetched:
    key: bytes | None
    value: bytes | None
    headers: list = field(default_factory=list)


def fetched(output):
    return Fetched(output.key, output.value, list(output.headers))


def absorbed(*records):
    states = StateStore()
    states.absorb(records)
    return states, dict(states.timers())


def test_a_written_state_is_restored():
    states, timers = absorbed(
        fetched(state_record("state", b"a", b"one", 12.5)),
        fetched(state_record("state", b"b", b"two", None)),
    )
    assert (states.get(b"a"), states.get(b"b"), timers) == (b"one", b"two", {b"a": 12.5})


def test_the_newest_record_of_a_key_counts_with_or_without_a_timer():
    states, timers = absorbed(
        fetched(state_record("state", b"a", b"one", 12.5)),
        fetched(state_record("state", b"a", b"two", None)),
        fetched(state_record("state", b"b", b"one", 12.5)),
        fetched(state_record("state", b"b", None, 13.5)),
    )
    assert (states.get(b"a"), states.get(b"b"), len(states), timers) == (b"two", None, 1, {})


@pytest.mark.parametrize("record", [Fetched(MARKER_KEY, b""), Fetched(HANDLER_KEY, b"one"), Fetched(HANDLER_KEY, None)])
def test_the_marker_and_the_handlers_record_are_no_state(record):
    states, timers = absorbed(record)
    assert (len(states), timers, states.unreadable) == (0, {}, 0)


def test_the_newest_progress_record_is_no_state():
    states, timers = absorbed(Fetched(PROGRESS_KEY, b"one"), Fetched(MARKER_KEY, b""), Fetched(PROGRESS_KEY, b"two"))
    assert (len(states), timers, states.progress, states.unreadable) == (0, {}, b"two", 0)


@pytest.mark.parametrize(
    "key",
    [*(key + tail for key in RESERVED_KEYS for tail in (b"", b"\x00", b"\x00\x00", b"s")), b"", b"\x00", b"\x00\x00"],
)
def test_a_key_that_equals_a_reserved_key_or_resembles_it_keeps_its_state(key):
    written = state_record("state", key, b"one", 12.5)
    assert written.key not in RESERVED_KEYS
    reserved = Fetched(MARKER_KEY, b""), Fetched(PROGRESS_KEY, b"")
    states, timers = absorbed(*reserved, fetched(written), *reserved)
    assert (states.get(key), timers) == (b"one", {key: 12.5})
    states, _ = absorbed(fetched(written), fetched(state_record("state", key, None, None)))
    assert len(states) == 0


def test_no_two_keys_share_a_written_key():
    keys = [key + b"\x00" * zeros for key in RESERVED_KEYS for zeros in range(5)]
    assert len({state_record("state", key, b"one", None).key for key in keys}) == len(keys)


def test_a_record_without_a_key_is_counted_and_skipped():
    states, _ = absorbed(Fetched(None, b"x"), Fetched(b"a", b"one"))
    assert (states.unreadable, len(states)) == (1, 1)


@pytest.mark.parametrize("written", [b"soon", b"", None, b"nan", b"inf", b"1e999", b"\xff\xfe"])
def test_an_unreadable_timer_is_due_immediately_and_counted(written):
    states, timers = absorbed(Fetched(b"a", b"one", [("timer", written)]))
    assert (states.get(b"a"), timers, states.unreadable) == (b"one", {b"a": 0.0}, 1)


def test_the_states_of_each_group_and_their_memory_are_counted_through_every_change():
    states = StateStore(lambda state: state[:1] or None)
    states.absorb(
        [fetched(state_record("state", key, b"x%d" % number, None)) for number, key in enumerate((b"a", b"b"))]
    )
    states.put(b"c", b"y", 1.0)
    assert states.groups == {b"x": 2, b"y": 1}
    assert states.memory_bytes == 3 * 320 + 3 + 5
    states.put(b"a", b"yyy", None)
    states.put(b"b", b"", None)
    assert (states.groups, states.memory_bytes) == ({b"y": 2}, 3 * 320 + 3 + 4)
    for key in (b"a", b"b", b"c", b"d"):
        states.put(key, None, None)
    assert (states.groups, states.memory_bytes, len(states)) == ({}, 0, 0)


async def test_overdue_timers_are_spread_over_the_time_for_their_state_and_others_are_unchanged():
    states = StateStore()
    for number in range(1_000):
        states.put(b"%d" % number, b"quick" if number % 2 else b"slow", 100.0)
    states.put(b"later", b"slow", 5_000.0)
    states.put(b"none", b"slow", None)
    others = 0

    async def another_task():
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(another_task())
    timers = await spread_timers(
        states, lambda state, now: {b"quick": 10.0, b"slow": 600.0}[state] * (now > 0), 1_000.0
    )
    waiting.cancel()
    assert others > 3, "other tasks run while many states are parsed"
    assert timers.pop(b"later") == 5_000.0
    assert len(timers) == 1_000
    quick, slow = ([at for key, at in timers.items() if int(key) % 2 == odd] for odd in (1, 0))
    assert 1_000.0 <= min(quick) < 1_001.0
    assert 1_009.0 < max(quick) <= 1_010.0
    assert 1_000.0 <= min(slow) < 1_050.0
    assert 1_550.0 < max(slow) <= 1_600.0


class Leader:
    """The leader of a partition of `state`: a deposed one lacks the records from `knows` on, until it is replaced."""

    def __init__(self, records, knows):
        self.records, self.knows, self.at = records, knows, 0
        self.fetches = 0

    def assign(self, partitions):
        pass

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions):
        return dict.fromkeys(partitions, self.knows)

    def seek(self, partition, offset):
        self.at = offset

    async def getmany(self, *, timeout_ms, max_records):
        await asyncio.sleep(0)
        self.fetches += 1
        found, self.at = self.records[self.at : self.knows], max(self.at, self.knows)
        return {"state-0": found} if found else {}

    async def position(self, partition):
        return self.at


LOG = [
    fetched(state_record("state", b"a", b"one", None)),
    fetched(state_record("state", b"a", b"two", None)),  # the last one of the predecessor
    Fetched(PROGRESS_KEY, b"progress"),
    Fetched(MARKER_KEY, b""),
    Fetched(None, None),  # the control record after the marker, which is never delivered
]
MARKER = 3


def restoring(leader, seconds):
    states = StateStore()
    return restore(leader, "state-0", MARKER, lambda done, total: None, states=states, timeout_seconds=seconds)


@pytest.mark.parametrize("knows", [0, 1, 3])
async def test_a_deposed_leader_does_not_end_a_restore(knows):
    with pytest.raises(TimeoutError):
        await restoring(Leader(LOG, knows), 0.02)


async def test_a_restore_goes_on_at_the_leader_that_has_the_marker():
    leader = Leader(LOG[:4], knows=1)
    task = asyncio.create_task(restoring(leader, 5.0))
    for _ in range(10):
        await asyncio.sleep(0)
    assert leader.fetches > 1
    assert not task.done()
    leader.knows = 4
    states = await task
    assert (states.get(b"a"), states.progress, states.unreadable) == (b"two", b"progress", 0)
