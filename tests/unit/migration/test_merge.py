from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from offline.migration.merge import Merge


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    timestamp: int
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: tuple = field(default=())


def merged(partitions, chunk=1):
    """Feed each partition in chunks, only when the merge lacks it, as the copy does."""
    merge, out, left = Merge(range(len(partitions))), [], [list(one) for one in partitions]
    for number, records in enumerate(left):
        if not records:
            merge.end(number)
    while wanted := merge.lacks():
        for number in wanted:
            merge.feed(number, left[number][:chunk])
            del left[number][:chunk]
            if not left[number]:
                merge.end(number)
        out += merge.ready()
    return out + list(merge.ready())


def log(partition, *timestamps):
    return [Record(partition, offset, timestamp) for offset, timestamp in enumerate(timestamps)]


def test_records_of_an_added_partition_follow_the_earlier_ones():
    assert [one.partition for one in merged([log(0, 1, 2, 3), log(1, 4, 5)])] == [0, 0, 0, 1, 1]


def test_a_clock_that_goes_back_does_not_change_the_order_within_a_partition():
    out = merged([log(0, 10, 2, 11), log(1, 5)])
    assert [(one.partition, one.offset) for one in out] == [(1, 0), (0, 0), (0, 1), (0, 2)]


@given(st.lists(st.lists(st.integers(0, 20), max_size=8), min_size=1, max_size=4), st.integers(1, 5))
def test_every_record_comes_once_in_the_order_of_its_partition_however_it_was_fetched(times, chunk):
    partitions = [log(number, *of_one) for number, of_one in enumerate(times)]
    out = merged(partitions, chunk)
    for number, records in enumerate(partitions):
        assert [one for one in out if one.partition == number] == records
    assert out == merged(partitions, 100), "the order depends on the size of a fetch: a resumed copy would be wrong"
