from consumers.engine.core.failure_ratio import FailureRatioLimit


def test_it_trips_when_more_than_the_share_of_the_window_were_given_up():
    share = FailureRatioLimit(0.5, 10)
    assert not any(share.count(dead_lettered=True) for _ in range(5))
    assert share.count(dead_lettered=True)


def test_good_records_never_trip_it():
    share = FailureRatioLimit(0.0, 2)
    assert not share.count(dead_lettered=False)
    assert not share.has_tripped


def test_it_trips_once_and_stays_so():
    share = FailureRatioLimit(0.0, 2)
    assert [share.count(dead_lettered=dead_lettered) for dead_lettered in (True, True, False, False, False)] == [
        True,
        *[False] * 4,
    ]
    assert share.has_tripped
    assert share.reason.startswith("more than 0% of 2 records")


def test_old_casualties_leave_the_window():
    share = FailureRatioLimit(0.5, 4)
    for _ in range(20):
        assert not share.count(dead_lettered=True)
        assert not share.count(dead_lettered=False)
    share.count(dead_lettered=True)
    assert not share.count(dead_lettered=False)


def test_an_operator_starts_the_count_anew():
    share = FailureRatioLimit(0.5, 2)
    share.count(dead_lettered=True)
    assert share.count(dead_lettered=True)
    share.reset()
    assert not share.has_tripped
    assert not share.count(dead_lettered=True)
