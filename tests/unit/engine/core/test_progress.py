"""Where a partition resumes, for every record, copy and log; and the formats of record and copy."""

import random

import pytest

from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from consumers.engine.core.progress import (
    IN_STATE,
    OLD_FORM_OFFSETS,
    CopyForm,
    KnownProgress,
    ProgressUnreadable,
    Resumption,
    combine,
    copy_of,
    decode,
    encode,
    within_log,
)

BROKER_LIMIT = 4_096  # offset.metadata.max.bytes


def beyond(watermark, *finished):
    tracker = OffsetTracker(watermark)
    for offset in range(watermark, max(finished) + 1):
        tracker.take(offset)
    for offset in finished:
        tracker.finish(offset)
    return tracker.committed()


OLD, NEW = beyond(6, 8), Committed(6, IN_STATE)
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
    known = combine(value, NEW, has_states=True)
    assert known.progress == Committed(6, "")
    assert "Deploy the newer release" in known.problem


@pytest.mark.parametrize(
    ("record", "copy", "has_states", "progress"),
    [
        pytest.param(None, None, False, None, id="a new group"),
        pytest.param(RECORD, None, True, RECORD, id="the offsets expired"),
        pytest.param(None, OLD, True, OLD, id="after an earlier release"),
        pytest.param(RECORD, NEW, True, RECORD, id="a copy"),
        pytest.param(RECORD, Committed(2, IN_STATE), True, RECORD, id="a late copy"),
        pytest.param(RECORD, RECORD, True, RECORD, id="the old form"),
        pytest.param(RECORD, beyond(6, 7, 10), True, beyond(6, 7, 8, 9, 10), id="an earlier release went on"),
        pytest.param(RECORD, beyond(20, 22), True, beyond(20, 22), id="an earlier release went on far"),
        pytest.param(RECORD, Committed(2, ""), True, RECORD, id="an old form from a stale coordinator"),
    ],
)
def test_what_is_known_to_be_finished(record, copy, has_states, progress):
    value = encode(record) if record is not None else None
    assert combine(value, copy, has_states=has_states) == KnownProgress(progress)


@pytest.mark.parametrize(
    ("record", "copy", "why", "progress"),
    [
        pytest.param(None, None, "no committed offset.*Resuming continues at the begin of the log", None, id="lost"),
        pytest.param(None, NEW, "the state topic was lost.*continues at 6", Committed(6, ""), id="no record"),
        pytest.param(
            RECORD,
            Committed(8, IN_STATE),
            "copy of the progress is at 8, the progress record in the state topic only at 6.*continues at 10",
            Committed(10, ""),
            id="a copy ahead",
        ),
        pytest.param(None, Committed(7, "?"), "Another program.*at 7", Committed(7, ""), id="by another program"),
        pytest.param(RECORD, Committed(7, "in state:2"), "Another program.*at 6", RECORD, id="of a later release"),
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


def test_the_old_form_fits_the_broker_or_gives_way_to_the_new_one():
    chosen = random.Random(7)
    fullest = beyond(0, OLD_FORM_OFFSETS, *(offset for offset in range(1, OLD_FORM_OFFSETS) if chosen.random() < 0.5))
    assert copy_of(fullest, CopyForm.OLD)._replace(metadata="") == Committed(0, "")
    assert copy_of(beyond(0, OLD_FORM_OFFSETS - 1), CopyForm.OLD).metadata not in {"", IN_STATE}
    assert copy_of(beyond(0, OLD_FORM_OFFSETS), CopyForm.OLD) == Committed(0, IN_STATE)
    smaller = beyond(0, *(offset for offset in range(1, OLD_FORM_OFFSETS) if chosen.random() < 0.5))
    assert len(copy_of(smaller, CopyForm.OLD).metadata) < BROKER_LIMIT / 2
    assert copy_of(smaller, CopyForm.NEW) == Committed(0, IN_STATE)
