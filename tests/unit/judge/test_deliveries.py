from local.judge.deliveries import compare

SENT = [("auth_1", 1), ("auth_1", 2), ("auth_2", 1)]


def test_a_repeated_event_is_a_duplicate_and_nothing_worse():
    found = compare([*SENT, ("auth_1", 1)], SENT)
    assert (found.is_good, found.duplicates, found.delivered) == (True, 1, 3)


def test_an_event_that_was_not_accepted_is_lost_unless_it_may_be_missing():
    assert compare(SENT[:1], SENT).lost == SENT[1:]
    assert compare(SENT[:1], SENT, gaps=SENT[1:]).is_good


def test_an_event_before_its_predecessor_is_out_of_order():
    found = compare([("auth_1", 2), ("auth_2", 1), ("auth_1", 1), ("auth_1", 2)], SENT)
    assert found.out_of_order == [("auth_1", 2, 1)]
    assert not found.is_good
