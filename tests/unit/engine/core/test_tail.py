"""What a tail shows: the first marker of a producer decides its batches, whatever follows."""

import struct

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from consumers.engine.core.tail import NumberedTail

COMMIT, ABORT = 1, 0


def data(producer, number, *values, transactional=1, name="transaction"):
    builder = DefaultRecordBatchBuilder(2, 0, transactional, producer, 0, 0, 1 << 20)
    for offset, value in enumerate(values):
        headers = [("other", b"9"), (name, number)] if name else []
        builder.append(offset, 0, b"k", value, headers)
    return bytes(builder.build())


def marker(producer, kind):
    builder = DefaultRecordBatchBuilder(2, 0, 1, producer, 0, -1, 1 << 20)
    builder.append(0, 0, struct.pack(">HH", 0, kind), b"", [])
    batch = builder.build()
    attributes = struct.unpack_from(">h", batch, 21)[0]
    struct.pack_into(">h", batch, 21, attributes | 0x20)
    return bytes(batch)


A, B = data(1, b"7", b"x", b"y"), data(2, b"7", b"x")
CASES = {
    "committed": ([A, marker(1, COMMIT)], (7, 7, [b"x", b"y"], [])),
    "aborted": ([A, marker(1, ABORT)], (0, 7, [], [b"x", b"y"])),
    "open": ([A], (0, 0, [], [])),
    "of the stale coordinator first": ([A, marker(1, COMMIT), marker(1, ABORT)], (7, 7, [b"x", b"y"], [])),
    "two batches": ([A, data(1, b"7", b"z"), marker(1, COMMIT)], (7, 7, [b"x", b"y", b"z"], [])),
    "another producer's marker": ([A, marker(2, COMMIT), marker(1, ABORT)], (0, 7, [], [b"x", b"y"])),
    "an incomplete copy": ([B, marker(2, ABORT), A, marker(1, ABORT)], (0, 7, [], [b"x", b"y"])),
    "an incomplete copy later": ([A, marker(1, ABORT), B, marker(2, ABORT)], (0, 7, [], [b"x", b"y"])),
    "healed": ([A, marker(1, ABORT), A, marker(1, COMMIT)], (7, 7, [b"x", b"y"], [b"x", b"y"])),
    "another number": ([data(1, b"8", b"x"), marker(1, ABORT)], (0, 8, [], [])),
    "no number": ([data(1, b"", b"x", name=None), marker(1, COMMIT)], (0, 0, [], [])),
    "another header": ([data(1, b"9", b"x", name="number"), marker(1, COMMIT)], (0, 0, [], [])),
    "a copy without a transaction": ([data(1, b"7", b"x", transactional=0), marker(1, COMMIT)], (0, 0, [], [])),
    "no digits": ([data(1, b"-7", b"x"), marker(1, COMMIT)], (0, 0, [], [])),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_marker_of_the_producer_decides(case):
    batches, expected = CASES[case]
    tail = NumberedTail()
    for batch in batches:
        tail.add(DefaultRecordBatch(batch))
    found = [[record.value for record in tail.records(7, is_committed=which)] for which in (True, False)]
    assert (tail.newest(is_committed=True), tail.newest(), *found) == expected
