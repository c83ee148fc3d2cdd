from dataclasses import dataclass, field

import pytest

from consumers.engine.core.fetch_buffer import FetchBuffer
from consumers.engine.core.offset_tracker import WINDOW
from consumers.engine.kafka.offsets import Committed


@dataclass
class Fetched:
    offset: int
    value: bytes = b"value"
    key: bytes | None = b"key"
    partition: int = 3
    timestamp: int = 1_500
    headers: list = field(default_factory=list)


def fetched(*offsets, value=b"value"):
    return [Fetched(offset, value) for offset in offsets]


@pytest.fixture
def intake():
    return FetchBuffer(Committed(10, ""), records=4, size=100)


def offsets(intake):
    return [record.offset for record in intake.take()]


def test_records_reach_the_lanes_once_and_in_order(intake):
    assert intake.fetched(fetched(10, 11))
    assert intake.fetched(fetched(10, 11, 12))
    assert offsets(intake) == [10, 11, 12]
    assert offsets(intake) == []
    assert intake.position == 13


def test_what_is_missing_is_believed_only_right_after_a_seek(intake):
    assert not intake.fetched(fetched(12))
    assert intake.position == 10
    intake.sought()
    assert intake.fetched(fetched(12))
    assert not intake.fetched(fetched(14))
    assert offsets(intake) == [12]


def test_what_was_finished_before_a_restart_is_left_out(intake):
    intake.fetched(fetched(10, 11, 12))
    for offset in offsets(intake):
        if offset != 10:
            intake.finish(offset)
    again = FetchBuffer(intake.committed(), records=4, size=100)
    again.fetched(fetched(10, 11, 12, 13))
    assert offsets(again) == [10, 13]


def test_a_record_without_key_and_value_is_taken(intake):
    intake.fetched([Fetched(10, None, None)])
    (record,) = intake.take()
    assert (record.key, record.value, record.partition, record.timestamp) == (b"", b"", 3, 1.5)


def test_reading_stops_at_the_bound_of_records_and_goes_on_well_below_it(intake):
    assert not intake.is_full(3)
    assert intake.is_full(4)
    assert not intake.has_room(3)
    assert intake.has_room(2)


def test_reading_stops_at_the_bound_of_bytes(intake):
    intake.fetched(fetched(10, value=bytes(101)))
    list(intake.take())
    assert intake.is_full(1)
    intake.finish(10)
    assert not intake.is_full(0)
    assert intake.has_room(0)


def test_only_what_is_unfinished_counts_towards_the_bytes_even_behind_a_stuck_record(intake):
    intake.fetched(fetched(10, value=b"stuck"))
    intake.fetched(fetched(*range(11, 30), value=bytes(50)))
    for offset in offsets(intake):
        if offset != 10:
            intake.finish(offset)
    assert not intake.is_full(1)


def test_records_beyond_the_window_are_held_until_there_is_room():
    intake = FetchBuffer(Committed(0, ""), records=10**6, size=10**9)
    intake.fetched(fetched(*range(WINDOW + 2)))
    assert len(offsets(intake)) == WINDOW
    assert intake.holds_back
    assert intake.is_full(0)
    assert not intake.has_room(0)
    intake.finish(0)
    assert offsets(intake) == [WINDOW]
    assert intake.holds_back


def test_the_oldest_unfinished_record_tells_the_age(intake):
    assert intake.oldest_timestamp is None
    intake.fetched([Fetched(10, timestamp=1_000), Fetched(11, timestamp=2_000)])
    list(intake.take())
    assert intake.oldest_timestamp == 1.0
    intake.finish(10)
    assert intake.oldest_timestamp == 2.0
    intake.finish(11)
    assert intake.oldest_timestamp is None
    assert (intake.watermark, intake.gap) == (12, 0)
