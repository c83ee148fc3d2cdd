from consumers.engine.core.failure_ratio import FailureRatioLimit


def test_the_limit_trips_above_the_share_of_the_window():
    limit = FailureRatioLimit(0.5, 10)
    assert not any(limit.count(dead_lettered=True) for _ in range(5))
    assert limit.count(dead_lettered=True)


def test_good_records_never_trip_the_limit():
    limit = FailureRatioLimit(0.0, 2)
    assert not limit.count(dead_lettered=False)
    assert not limit.has_tripped


def test_the_limit_trips_once_and_stays_tripped():
    limit = FailureRatioLimit(0.0, 2)
    assert [limit.count(dead_lettered=dead_lettered) for dead_lettered in (True, True, False, False, False)] == [
        True,
        *[False] * 4,
    ]
    assert limit.has_tripped
    assert limit.reason.startswith("more than 0% of 2 records")


def test_old_dead_letters_leave_the_window():
    limit = FailureRatioLimit(0.5, 4)
    for _ in range(20):
        assert not limit.count(dead_lettered=True)
        assert not limit.count(dead_lettered=False)
    limit.count(dead_lettered=True)
    assert not limit.count(dead_lettered=False)


def test_a_reset_restarts_the_count():
    limit = FailureRatioLimit(0.5, 2)
    limit.count(dead_lettered=True)
    assert limit.count(dead_lettered=True)
    limit.reset()
    assert not limit.has_tripped
    assert not limit.count(dead_lettered=True)
