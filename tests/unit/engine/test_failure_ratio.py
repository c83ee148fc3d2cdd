from consumers.engine.core.failure_ratio import FailureRatioLimit


def test_the_limit_trips_above_the_share_of_the_window():
    share = FailureRatioLimit(0.5, 10)
    assert not any(share.count(dead_lettered=True) for _ in range(5))
    assert share.count(dead_lettered=True)


def test_good_records_never_trip_the_limit():
    share = FailureRatioLimit(0.0, 2)
    assert not share.count(dead_lettered=False)
    assert not share.has_tripped


def test_the_limit_trips_once_and_stays_tripped():
    share = FailureRatioLimit(0.0, 2)
    assert [share.count(dead_lettered=dead_lettered) for dead_lettered in (True, True, False, False, False)] == [
        True,
        *[False] * 4,
    ]
    assert share.has_tripped
    assert share.reason.startswith("more than 0% of 2 records")


def test_old_dead_letters_leave_the_window():
    share = FailureRatioLimit(0.5, 4)
    for _ in range(20):
        assert not share.count(dead_lettered=True)
        assert not share.count(dead_lettered=False)
    share.count(dead_lettered=True)
    assert not share.count(dead_lettered=False)


def test_a_reset_restarts_the_count():
    share = FailureRatioLimit(0.5, 2)
    share.count(dead_lettered=True)
    assert share.count(dead_lettered=True)
    share.reset()
    assert not share.has_tripped
    assert not share.count(dead_lettered=True)
