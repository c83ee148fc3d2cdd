"""Where a partition resumes, for every record, copy, topic and log; and the format of the record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.core.offset_tracker import Committed, OffsetTracker
from consumers.engine.core.progress import (
    GroupCopy,
    KnownProgress,
    ProgressRecord,
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
TOPIC, DELETED, UNNAMED = "topic of now", "topic of then", ""


def test_a_record_is_read_as_it_was_written_and_may_gain_fields():
    assert encode(Committed(7, ""), TOPIC) == b'{"v":2,"offset":7,"bitmap":"","topic":"topic of now"}'
    assert decode(encode(RECORD, TOPIC)) == ProgressRecord(RECORD, TOPIC)
    assert decode(encode(RECORD, TOPIC, 1_780_000_000.5)) == ProgressRecord(RECORD, TOPIC, 1_780_000_000)
    for later in (b'"later":[]', b'"second_source_at":"soon"'):
        value = b'{"v":2,"offset":7,"bitmap":"","topic":"",%s}' % later
        assert decode(value) == ProgressRecord(Committed(7, ""), "")


UNREADABLE = [
    b"",
    b"\xff",
    b"7",
    b"{}",
    b'{"v":1,"offset":7,"bitmap":"","topic":""}',  # of builds before the first release
    b'{"v":3,"offset":7,"bitmap":"","topic":""}',
    b'{"v":2,"offset":-1,"bitmap":"","topic":""}',
    b'{"v":2,"offset":"7","bitmap":"","topic":""}',
    b'{"v":2,"offset":7,"bitmap":"?","topic":""}',
    b'{"v":2,"offset":7,"topic":""}',
    b'{"v":2,"offset":7,"bitmap":""}',
    b'{"v":2,"offset":7,"bitmap":"","topic":7}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("value", UNREADABLE)
def test_another_format_is_no_record_and_stops_the_partition(value):
    with pytest.raises(ProgressUnreadable):
        decode(value)
    known = combine(value, GroupCopy(6, TOPIC), topic=TOPIC, has_states=True)
    assert known.progress == Committed(6, "")
    assert "If it was a build before the first release, begin again under a new topics.prefix" in known.problem


@pytest.mark.parametrize(
    ("record", "copy", "has_states", "progress"),
    [
        pytest.param(None, None, False, None, id="a new group"),
        pytest.param(RECORD, None, True, RECORD, id="the offsets expired"),
        pytest.param(RECORD, GroupCopy(6, TOPIC), True, RECORD, id="a copy"),
        pytest.param(RECORD, GroupCopy(2, UNNAMED), True, RECORD, id="a late copy"),
        pytest.param(RECORD, GroupCopy(7, DELETED), True, RECORD, id="a copy of a deleted topic"),
        pytest.param(None, GroupCopy(7, DELETED), False, None, id="a new group, a copy of a deleted topic"),
    ],
)
def test_what_is_known_to_be_finished(record, copy, has_states, progress):
    value = encode(record, TOPIC) if record is not None else None
    assert combine(value, copy, topic=TOPIC, has_states=has_states) == KnownProgress(progress)


@pytest.mark.parametrize(
    ("record", "copy", "why", "progress"),
    [
        pytest.param(None, None, "offsets were lost.*continues at the begin of the log", None, id="lost"),
        pytest.param(
            None, GroupCopy(6, TOPIC), "the state topic was lost.*continues at 6", Committed(6, ""), id="no record"
        ),
        pytest.param(
            None,
            GroupCopy(0, UNNAMED),
            "the state topic was lost.*continues at 0",
            Committed(0, ""),
            id="no record, copy at 0",
        ),
        pytest.param(
            None, GroupCopy(6, DELETED), "offsets were lost", None, id="no record, a copy of a deleted topic, states"
        ),
        pytest.param(
            RECORD,
            GroupCopy(7, UNNAMED),
            "copy of the progress is at 7, the progress record in the state topic only at 6.*continues at 7",
            beyond(7, 8, 9),
            id="a copy ahead",
        ),
        pytest.param(
            RECORD,
            GroupCopy(8, TOPIC),
            "is at 8.*continues at 10",
            Committed(10, ""),
            id="a copy ahead, more is finished",
        ),
    ],
)
def test_doubts_need_an_operator_and_keep_what_is_known_to_be_finished(record, copy, why, progress):
    known = combine(encode(record, TOPIC) if record is not None else None, copy, topic=TOPIC, has_states=True)
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


@pytest.mark.parametrize("copy", [None, GroupCopy(9, DELETED), GroupCopy(9, TOPIC), GroupCopy(9, UNNAMED)])
def test_a_record_of_another_topic_stops_the_partition_at_the_begin_of_the_log(copy):
    known = combine(encode(RECORD, DELETED), copy, topic=TOPIC, has_states=True)
    assert known.progress is None
    assert f"id {DELETED}, and the topic has the id {TOPIC} now" in known.problem
    assert within_log(known, 5, 100) == Resumption(Committed(5, ""), known.problem)


offsets = st.integers(0, 30)
topics = st.sampled_from([TOPIC, DELETED])
records = st.none() | st.tuples(
    st.builds(
        lambda at, gaps: beyond(at, *(at + gap for gap in gaps)), offsets, st.sets(st.integers(1, 9), min_size=1)
    ),
    topics,
)
copies = st.none() | st.builds(GroupCopy, offsets, topics | st.just(UNNAMED))


def written(record):
    return None if record is None else encode(*record)


def finished_of(progress):
    tracker = OffsetTracker(*progress)
    return {offset for offset in range(64) if not tracker.take(offset)}


def finished_by(record, copy):
    """Return the offsets that a record of this topic calls finished, or a copy of it or of an unknown topic."""
    found = set()
    if record is not None and record[1] == TOPIC:
        found |= finished_of(record[0])
    if copy is not None and copy.topic in {TOPIC, UNNAMED} and not (record is not None and record[1] == DELETED):
        found |= set(range(copy.offset))
    return found


@given(records, copies, st.booleans(), st.integers(0, 20), st.integers(0, 20))
def test_nothing_is_skipped_that_no_progress_of_this_topic_calls_finished(record, copy, has_states, begin, size):
    end = begin + size
    known = combine(written(record), copy, topic=TOPIC, has_states=has_states)
    progress, problem = within_log(known, begin, end)
    skipped = {offset for offset in finished_of(progress) if offset >= begin}
    assert skipped <= finished_by(record, copy)
    if record is not None and record[1] == DELETED:
        assert problem is not None
        assert progress == Committed(begin, "")
    if copy is not None and copy.topic == DELETED:
        assert within_log(combine(written(record), None, topic=TOPIC, has_states=has_states), begin, end) == (
            progress,
            problem,
        )
