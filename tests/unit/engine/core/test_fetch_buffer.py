from dataclasses import dataclass, field

import pytest

from consumers.engine.core.fetch_buffer import FetchBuffer
from consumers.engine.core.offset_tracker import Committed, OffsetTracker


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
def buffer():
    return FetchBuffer(Committed(10, ""), records=4, size=100)


def offsets(buffer):
    return [record.offset for record in buffer.take()]


def test_records_reach_the_key_queues_once_and_in_order(buffer):
    assert buffer.fetched(fetched(10, 11))
    assert buffer.fetched(fetched(10, 11, 12))
    assert offsets(buffer) == [10, 11, 12]
    assert offsets(buffer) == []
    assert buffer.position == 13


def test_a_missing_offset_counts_only_right_after_a_seek(buffer):
    assert not buffer.fetched(fetched(12))
    assert buffer.position == 10
    buffer.sought()
    assert buffer.fetched(fetched(12))
    assert not buffer.fetched(fetched(14))
    assert offsets(buffer) == [12]


def test_records_that_were_finished_before_a_restart_are_skipped(buffer):
    buffer.fetched(fetched(10, 11, 12))
    for offset in offsets(buffer):
        if offset != 10:
            buffer.finish(offset)
    again = FetchBuffer(buffer.committed(), records=4, size=100)
    again.fetched(fetched(10, 11, 12, 13))
    assert offsets(again) == [10, 13]


def test_a_record_without_key_and_value_is_accepted(buffer):
    buffer.fetched([Fetched(10, None, None)])
    (record,) = buffer.take()
    assert (record.key, record.value, record.partition, record.timestamp) == (b"", b"", 3, 1.5)


def test_reading_stops_at_the_limit_of_records_and_resumes_at_half_of_it(buffer):
    assert not buffer.is_full(3)
    assert buffer.is_full(4)
    assert not buffer.has_room(3)
    assert buffer.has_room(2)


def test_only_unfinished_records_count_towards_the_bytes(buffer):
    buffer.fetched(fetched(10, value=b"stuck"))
    buffer.fetched(fetched(*range(11, 30), value=bytes(50)))
    for offset in offsets(buffer):
        if offset != 10:
            buffer.finish(offset)
    assert not buffer.is_full(1)


def test_records_beyond_the_window_are_held_until_there_is_room():
    buffer = FetchBuffer(Committed(0, ""), records=10**6, size=10**9)
    buffer._tracker = OffsetTracker(0, window=20)
    buffer.fetched(fetched(*range(22)))
    assert len(offsets(buffer)) == 20
    assert buffer.has_held_records
    assert buffer.is_full(0)
    assert not buffer.has_room(0)
    buffer.finish(0)
    assert offsets(buffer) == [20]
    assert buffer.has_held_records


def test_the_age_is_that_of_the_oldest_unfinished_record(buffer):
    assert buffer.oldest_timestamp is None
    buffer.fetched([Fetched(10, timestamp=1_000), Fetched(11, timestamp=2_000)])
    list(buffer.take())
    assert buffer.oldest_timestamp == 1.0
    buffer.finish(10)
    assert buffer.oldest_timestamp == 2.0
    buffer.finish(11)
    assert buffer.oldest_timestamp is None
    assert (buffer.watermark, buffer.gap) == (12, 0)


KEYS = (b"a", b"a", b"b", b"a", b"c")


def test_the_second_age_is_that_of_the_oldest_record_of_another_key(buffer):
    assert buffer.second_key_timestamp is None
    buffer.fetched([Fetched(10 + number, key=key, timestamp=1_000 * number) for number, key in enumerate(KEYS)])
    list(buffer.take())
    assert (buffer.oldest_timestamp, buffer.second_key_timestamp) == (0.0, 2.0), "the records of a wait together"
    buffer.finish(12)
    assert buffer.second_key_timestamp == 4.0
    buffer.finish(14)
    assert buffer.second_key_timestamp is None, "one key alone has records"


def test_reading_resumes_at_half_of_the_limit_of_bytes(buffer):
    buffer.fetched(fetched(10, 11, value=bytes(50)))
    list(buffer.take())
    assert buffer.is_full(0)
    assert not buffer.has_room(0)
    buffer.finish(10)
    assert not buffer.is_full(0)
    assert buffer.has_room(0)
    buffer.fetched(fetched(12, value=b"1"))
    assert not buffer.has_room(0)


def test_records_share_the_names_of_their_headers(buffer):
    copies = [Fetched(offset, headers=[(bytes.decode(b"ce_type"), b"%d" % offset)]) for offset in (10, 11)]
    assert copies[0].headers[0][0] is not copies[1].headers[0][0]
    buffer.fetched(copies)
    first, second = buffer.take()
    assert (first.headers, second.headers) == ((("ce_type", b"10"),), (("ce_type", b"11"),))
    assert first.headers[0][0] is second.headers[0][0]
