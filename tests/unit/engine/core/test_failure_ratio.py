from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from consumers.engine.core.failure_ratio import (
    PRESENT_SECONDS,
    FailureRatioLimit,
    FinishedRecord,
    UncommittedFailures,
)
from consumers.engine.interface import Done, Failure


def good(source="a"):
    return FinishedRecord(b"good", source)


def bad(key, source="a", cause="refused"):
    return FinishedRecord(b"%d" % key, source, cause, dead_lettered=True)


def fail(limit, keys, source="a", now=0.0):
    """Count failures of these keys; return whether the limit tripped."""
    tripped = [limit.count(bad(key, source), now) for key in keys]
    return any(tripped)


def test_the_limit_trips_above_the_share_of_the_window():
    limit = FailureRatioLimit(0.5, 10)
    assert not fail(limit, range(5))
    assert fail(limit, [5])


def test_the_limit_trips_once_and_stays_tripped():
    limit = FailureRatioLimit(0.0, 2)
    records = [bad(1), bad(2), good(), good(), good()]
    assert [limit.count(record, 0.0) for record in records] == [True, *[False] * 4]
    assert limit.has_tripped
    assert limit.reason.startswith("more than 0% of 2 records")


def test_old_dead_letters_leave_the_window():
    limit = FailureRatioLimit(0.5, 4)
    for number in range(20):
        assert not limit.count(bad(number), 0.0)
        assert not limit.count(good(), 0.0)
    limit.count(bad(21), 0.0)
    assert not limit.count(good(), 0.0)


def test_a_reset_restarts_the_count():
    limit = FailureRatioLimit(0.5, 2)
    assert fail(limit, range(2))
    limit.reset()
    assert not limit.has_tripped
    assert not fail(limit, [2])


def test_the_oldest_record_leaves_a_window_that_no_source_fills():
    limit = FailureRatioLimit(1.0, 3)
    for number, source in enumerate("abcd"):
        limit.count(bad(number, source), 0.0)
    assert set(limit.sources()) == set("bcd")


def test_the_failures_of_one_key_count_once():
    limit = FailureRatioLimit(0.2, 50)
    assert not fail(limit, [7] * 50)
    assert fail(limit, range(50))


def test_the_only_source_of_a_day_can_trip_the_limit():
    limit = FailureRatioLimit(0.2, 50)
    limit.count(good("b"), 0.0)
    assert not fail(limit, range(1_000), now=PRESENT_SECONDS)
    assert fail(limit, range(1), now=PRESENT_SECONDS + 1)


def test_after_an_assignment_or_a_reset_one_source_alone_trips_the_limit_only_a_day_after_the_second():
    before = FailureRatioLimit(0.2, 50)
    assert before.second_source_at is None
    for source, now in (("b", 10.0), ("a", 0.0), ("a", 50.0)):
        before.count(good(source), now)
    assert before.second_source_at == 10.0
    after = FailureRatioLimit(0.2, 50)
    after.restore(before.second_source_at)
    before.reset()
    for limit in (before, after):
        assert not fail(limit, range(1_000), now=10.0 + PRESENT_SECONDS)
        assert limit.second_source_at == 10.0, "the next assignment knows it too"
        assert fail(limit, range(1), now=11.0 + PRESENT_SECONDS)


def test_two_sources_trip_the_limit_together_even_if_one_sends_much_more():
    limit = FailureRatioLimit(0.2, 50)
    for number in range(5):
        limit.count(bad(number, "b"), 0.0)
        assert not fail(limit, range(100 * (number + 1), 100 * (number + 2)))
    assert fail(limit, [6], "b")


def test_a_record_without_a_source_and_a_failure_that_does_not_count_change_nothing():
    limit = FailureRatioLimit(0.0, 10)
    assert FinishedRecord.of(b"k", Done(source="a", dead_lettered=Failure("late", counts=False))).failure is None
    assert not limit.count(FinishedRecord.of(b"k", Done(dead_lettered=Failure("refused", counts=True))), 0.0)
    assert limit.count(FinishedRecord.of(b"k", Done(source="a", dead_lettered=Failure("refused", counts=True))), 0.0)


def test_the_reason_names_causes_and_sources():
    limit = FailureRatioLimit(0.5, 4)
    failed = [(1, "a", "refused"), (2, "b", "crashed"), (3, "b", "crashed"), (4, "a", "crashed")]
    for record in [bad(*one) for one in failed]:
        limit.count(record, 0.0)
    assert "over 4 keys (causes: crashed 3, refused 1; sent by: a 2, b 2)" in limit.reason
    assert (limit.causes(), limit.sources()) == ({"crashed": 3, "refused": 1}, {"a": 2, "b": 2})


def test_the_reason_names_at_most_five_sources():
    limit = FailureRatioLimit(0.8, 10)
    for number in range(9):
        limit.count(bad(number, f"s{number}"), 0.0)
    assert "4 more" in limit.reason


def test_uncommitted_failures_count_before_their_commit():
    limit = FailureRatioLimit(0.2, 50)
    failures = UncommittedFailures(limit)
    waiting = [bad(number) for number in range(11)]
    for record in waiting[:10]:
        failures.add(record)
    assert not failures.may_trip
    failures.add(waiting[10])
    assert failures.may_trip
    assert not failures.committed([*waiting[:5], good("b")], 0.0)
    assert not failures.may_trip, "another source is in the window now"
    assert not failures.committed(waiting[5:], 0.0)
    assert not limit.has_tripped


RECORDS = st.lists(
    st.builds(
        FinishedRecord,
        key=st.integers(0, 8).map(lambda number: b"%d" % number),
        source=st.sampled_from("abc"),
        failure=st.sampled_from([None, "refused", "crashed"]),
    ),
    max_size=60,
)


@given(RECORDS, st.floats(0.05, 0.9), st.integers(2, 12))
def test_the_limit_trips_only_on_failures_over_enough_keys_and_never_for_one_of_several_sources(records, share, window):
    limit = FailureRatioLimit(share, window)
    seen = []
    for record in records:
        seen.append(record)
        if limit.count(record, 0.0):
            break
    else:
        return
    failed = [record for record in seen if record.failure is not None]
    assert len({record.key for record in failed}) > share * window - 1e-6
    if len({record.source for record in deque(seen, window)}) > 1:
        by_source = {source: {one.key for one in failed if one.source == source} for source in "abc"}
        others = limit.most - min(limit.most / 2, max(len(keys) for keys in by_source.values()))
        assert sum(sorted(len(keys) for keys in by_source.values())[:-1]) >= others - 1e-6


@given(RECORDS, RECORDS)
def test_the_records_of_one_source_do_not_displace_those_of_another(before, flood):
    limit = FailureRatioLimit(1.0, 20)
    before = [record._replace(source="b") for record in before[:10]]
    for record in [*before, *[record._replace(source="a") for record in flood]]:
        limit.count(record, 0.0)
    failed = [record for record in before if record.failure is not None]
    assert limit.sources().get("b", 0) == len(failed)


@given(RECORDS)
def test_the_window_is_bounded_after_a_reset_too(records):
    limit = FailureRatioLimit(0.5, 5)
    fail(limit, range(3))
    limit.reset()
    for number, record in enumerate(records):
        limit.count(record._replace(failure="refused", key=b"%d" % number), 0.0)
    assert sum(limit.sources().values()) == min(len(records), 5)
