"""Where a partition resumes, for every record, copy and log; and the format of the record."""

import pytest

from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from consumers.engine.core.progress import (
    KnownProgress,
    ProgressUnreadable,
    Resumption,
    combine,
    decode,
    encode,
    within_log,
)


def beyond(watermark, *finished):
    tracker = OffsetTracker(watermark)
    for offset in range(watermark, max(finished) + 1):
        tracker.take(offset)
    for offset in finished:
        tracker.finish(offset)
    return tracker.committed()


RECORD = beyond(6, 8, 9)


def test_a_record_is_read_as_it_was_written_and_may_gain_fields():
    assert encode(Committed(7, "")) == b'{"v":1,"offset":7,"bitmap":""}'
    assert decode(encode(RECORD)) == RECORD
    assert decode(b'{"v":1,"offset":7,"bitmap":"","later":[]}') == Committed(7, "")


UNREADABLE = [
    b"",
    b"\xff",
    b"7",
    b"{}",
    b'{"v":2,"offset":7,"bitmap":""}',
    b'{"v":1,"offset":-1,"bitmap":""}',
    b'{"v":1,"offset":"7","bitmap":""}',
    b'{"v":1,"offset":7,"bitmap":"?"}',
    b'{"v":1,"offset":7}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_another_format_is_no_record_and_stops_the_partition(value):
    with pytest.raises(ProgressUnreadable):
        decode(value)
    known = combine(value, 6, has_states=True)
    assert known.progress == Committed(6, "")
    assert "Deploy the newer release" in known.problem


@pytest.mark.parametrize(
    ("record", "copy", "has_states", "progress"),
    [
        pytest.param(None, None, False, None, id="a new group"),
        pytest.param(RECORD, None, True, RECORD, id="the offsets expired"),
        pytest.param(RECORD, 6, True, RECORD, id="a copy"),
        pytest.param(RECORD, 2, True, RECORD, id="a late copy"),
    ],
)
def test_what_is_known_to_be_finished(record, copy, has_states, progress):
    value = encode(record) if record is not None else None
    assert combine(value, copy, has_states=has_states) == KnownProgress(progress)


@pytest.mark.parametrize(
    ("record", "copy", "why", "progress"),
    [
        pytest.param(None, None, "offsets were lost.*continues at the begin of the log", None, id="lost"),
        pytest.param(None, 6, "the state topic was lost.*continues at 6", Committed(6, ""), id="no record"),
        pytest.param(None, 0, "the state topic was lost.*continues at 0", Committed(0, ""), id="no record, copy at 0"),
        pytest.param(
            RECORD,
            7,
            "copy of the progress is at 7, the progress record in the state topic only at 6.*continues at 7",
            beyond(7, 8, 9),
            id="a copy ahead",
        ),
        pytest.param(RECORD, 8, "is at 8.*continues at 10", Committed(10, ""), id="a copy ahead, more is finished"),
    ],
)
def test_doubts_need_an_operator_and_keep_what_is_known_to_be_finished(record, copy, why, progress):
    known = combine(encode(record) if record is not None else None, copy, has_states=True)
    assert known.progress == progress
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(known.problem)


@pytest.mark.parametrize(
    ("progress", "resumed"),
    [(None, Committed(5, "")), *((known, known) for known in (Committed(5, ""), Committed(9, ""), beyond(6, 8)))],
)
def test_progress_within_the_log(progress, resumed):
    assert within_log(KnownProgress(progress), 5, 9) == Resumption(resumed)
    assert within_log(KnownProgress(progress, "doubt"), 5, 9) == Resumption(resumed, "doubt")


@pytest.mark.parametrize(
    ("progress", "why", "resumed"),
    [
        pytest.param(Committed(4, ""), "deleted 1 offsets", Committed(5, ""), id="deleted"),
        pytest.param(beyond(3, 5, 6, 8), "deleted 2 offsets", beyond(7, 8), id="deleted, and some finished beyond"),
        pytest.param(Committed(10, ""), "created again", Committed(5, ""), id="beyond the end"),
    ],
)
def test_progress_outside_the_log_needs_an_operator_and_has_a_replacement(progress, why, resumed):
    found = within_log(KnownProgress(progress), 5, 9)
    assert found.progress == resumed
    assert why in found.problem
    assert within_log(KnownProgress(progress, "doubt"), 5, 9) == Resumption(resumed, "doubt")
