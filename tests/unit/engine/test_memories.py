from dataclasses import dataclass, field

import pytest

from consumers.engine.memories import MARKER_KEY, Memories, state_record


@dataclass
class Fetched:
    key: bytes | None
    value: bytes | None
    headers: list = field(default_factory=list)


def fetched(output):
    return Fetched(output.key, output.value, list(output.headers))


def absorbed(*records):
    memories, alarms = Memories(), {}
    memories.absorb(records, alarms)
    return memories, alarms


def test_what_is_written_comes_back():
    memories, alarms = absorbed(
        fetched(state_record("state", b"a", b"one", 12.5)),
        fetched(state_record("state", b"b", b"two", None)),
    )
    assert (memories.get(b"a"), memories.get(b"b"), alarms) == (b"one", b"two", {b"a": 12.5})


def test_the_newest_record_of_a_key_counts_with_its_alarm_or_without():
    memories, alarms = absorbed(
        fetched(state_record("state", b"a", b"one", 12.5)),
        fetched(state_record("state", b"a", b"two", None)),
        fetched(state_record("state", b"b", b"one", 12.5)),
        fetched(state_record("state", b"b", None, 13.5)),
    )
    assert (memories.get(b"a"), memories.get(b"b"), len(memories), alarms) == (b"two", None, 1, {})


def test_the_marker_is_no_memory():
    memories, alarms = absorbed(Fetched(MARKER_KEY, b""))
    assert (len(memories), alarms, memories.unreadable) == (0, {}, 0)


def test_a_record_without_a_key_is_counted_and_left_out():
    memories, _ = absorbed(Fetched(None, b"x"), Fetched(b"a", b"one"))
    assert (memories.unreadable, len(memories)) == (1, 1)


@pytest.mark.parametrize("written", [b"soon", b"", None, b"nan", b"inf", b"1e999", b"\xff\xfe"])
def test_an_alarm_that_can_not_be_read_is_due_at_once_and_counted(written):
    memories, alarms = absorbed(Fetched(b"a", b"one", [("alarm", written)]))
    assert (memories.get(b"a"), alarms, memories.unreadable) == (b"one", {b"a": 0.0}, 1)
