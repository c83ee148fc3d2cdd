import pytest

from consumers.engine.core.broker_contact import BrokerContact

LONGEST = 8.0


@pytest.fixture
def contact():
    return BrokerContact(LONGEST, now=100.0)


def test_brokers_that_answer_have_no_problem(contact):
    contact.answered(110.0)
    contact.fetching({0: 0.2, 1: None}, 110.0)
    assert contact.problem(110.5) == ""
    assert not contact.is_away(110.5)


def test_without_any_answer_no_broker_answers(contact):
    contact.fetching({0: 0.0}, 101.0)
    contact.answered(102.0)
    contact.fetching({0: 0.5}, 102.5)
    assert contact.problem(110.0) == ""
    assert contact.problem(110.5) == "no broker has answered for 8 s"
    assert contact.is_away(110.5)


def test_a_silent_coordinator_is_a_problem_although_fetches_are_answered(contact):
    contact.fetching({0: 0.1}, 109.0)
    assert contact.problem(109.0) == "the group's coordinator has answered no heartbeat for 9 s"
    assert not contact.is_away(109.0)


def test_a_silent_leader_is_a_problem_although_heartbeats_are_answered(contact):
    contact.fetching({0: 0.0, 1: 0.0, 2: 0.0}, 100.0)
    contact.answered(109.0)
    contact.fetching({0: 9.0, 1: 0.1, 2: 9.0}, 109.0)
    assert contact.problem(109.0) == "the leader of partition 0, 2 has answered no fetch for 9 s"


def test_the_fetch_before_a_pause_shows_nothing_about_the_leader(contact):
    contact.fetching({0: 0.0}, 100.0)
    contact.fetching({}, 101.0)  # paused: nothing is fetched
    contact.answered(160.0)
    contact.fetching({0: 60.0}, 160.0)
    assert contact.problem(160.0) == ""
    contact.answered(169.0)
    contact.fetching({0: 69.0}, 169.0)
    assert contact.problem(169.0) == "the leader of partition 0 has answered no fetch for 9 s"


def test_an_older_answer_never_replaces_a_newer_one(contact):
    contact.answered(120.0)
    contact.answered(105.0)
    assert contact.silent_seconds(121.0) == 1.0


def test_a_partition_that_is_fetched_again_is_no_answer(contact):
    """Under load partitions pause and resume: that hid a killed broker for another eight seconds."""
    contact.fetching({0: 0.0}, 100.0)
    contact.fetching({}, 103.0)
    contact.fetching({0: 8.2}, 108.2)
    assert contact.is_away(108.5)
    assert contact.problem(108.5) == "no broker has answered for 8 s"
