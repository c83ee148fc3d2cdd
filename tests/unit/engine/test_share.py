from consumers.engine.share import ShareLimit


def test_it_trips_when_more_than_the_share_of_the_window_were_given_up():
    share = ShareLimit(0.5, 10)
    assert not any(share.note(casualty=True) for _ in range(5))
    assert share.note(casualty=True)


def test_good_records_never_trip_it():
    share = ShareLimit(0.0, 2)
    assert not share.note(casualty=False)
    assert not share.has_tripped


def test_it_trips_once_and_stays_so():
    share = ShareLimit(0.0, 2)
    assert [share.note(casualty=casualty) for casualty in (True, True, False, False, False)] == [True, *[False] * 4]
    assert share.has_tripped
    assert share.why.startswith("more than 0% of 2 records")


def test_old_casualties_leave_the_window():
    share = ShareLimit(0.5, 4)
    for _ in range(20):
        assert not share.note(casualty=True)
        assert not share.note(casualty=False)
    share.note(casualty=True)
    assert not share.note(casualty=False)


def test_an_operator_starts_the_count_anew():
    share = ShareLimit(0.5, 2)
    share.note(casualty=True)
    assert share.note(casualty=True)
    share.reset()
    assert not share.has_tripped
    assert not share.note(casualty=True)
