"""Hints allow more than a successor may do, so they end with the key queue that created them."""

import pytest

from consumers.applier.attempt_hints import AttemptHints


@pytest.fixture
def hints():
    hints = AttemptHints()
    hints.begin("k", since=10.0)
    return hints


def test_the_key_queue_that_committed_an_intent_knows_that_it_was_not_sent(hints):
    hint = hints.of("k", since=10.0)
    assert (hint.unsent, hint.clean) == (True, True)


def test_another_assignment_in_the_same_process_knows_nothing(hints):
    hints.of("k", since=10.0).count_fault((500, "x"))
    hint = hints.of("k", since=11.0)
    assert (hint.unsent, hint.clean, hint.faults) == (False, False, 0)
    assert not hints.of("k", since=10.0).unsent, "the hint of the earlier assignment does not come back"


def test_an_intent_that_is_over_has_no_hint(hints):
    hints.drop("k")
    hints.drop("never begun")
    assert not hints.of("k", since=10.0).clean


def test_only_equal_faults_in_a_row_count(hints):
    hint = hints.of("k", since=10.0)
    counts = [hint.count_fault(fault) for fault in [(500, "x"), (500, "x"), (500, "y"), None, (500, "y"), (500, "y")]]
    assert counts == [1, 2, 1, 0, 1, 2]


def test_the_oldest_hint_is_dropped_above_the_bound(hints, monkeypatch):
    monkeypatch.setattr("consumers.applier.attempt_hints._MOST_HINTS", 2)
    hints.begin("second", since=10.0)
    assert hints.of("k", since=10.0).clean
    hints.begin("third", since=10.0)
    assert not hints.of("k", since=10.0).clean
