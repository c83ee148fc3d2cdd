import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingress.auth.rate_limit import RateLimits

PAUSES = st.lists(st.floats(0, 5), max_size=200)


@given(PAUSES, st.floats(0.5, 50), st.integers(1, 20))
def test_a_caller_never_exceeds_its_burst_plus_its_rate(pauses, rate, burst):
    buckets, now, taken = RateLimits(), 0.0, []
    for pause in pauses:
        now += pause
        if buckets.take("caller", rate, burst, now) == 0:
            taken.append(now)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + rate * (taken[last] - taken[first]) + 1e-6


@given(st.floats(0.5, 50), st.integers(1, 20))
def test_a_caller_that_waits_for_retry_after_is_admitted(rate, burst):
    buckets = RateLimits()
    for _ in range(burst):
        assert buckets.take("caller", rate, burst, 0.0) == 0
    wait = buckets.take("caller", rate, burst, 0.0)
    assert wait == pytest.approx(1 / rate)
    assert buckets.take("caller", rate, burst, wait + 1e-9) == 0


def test_callers_do_not_share_tokens():
    buckets = RateLimits()
    assert buckets.take("a", 1, 1, 0) == 0
    assert buckets.take("a", 1, 1, 0) > 0
    assert buckets.take("b", 1, 1, 0) == 0


def test_new_limits_apply_immediately():
    buckets = RateLimits()
    buckets.take("a", 1, 1, 0)
    assert buckets.take("a", 1, 2, 0) == 0


def test_the_number_of_buckets_is_bounded():
    buckets = RateLimits(most=3)
    for number in range(100):
        assert buckets.take(f"people:{number}", 1, 1, 0) == 0
        assert len(buckets) <= 3


def test_a_caller_that_sends_requests_keeps_its_bucket_whoever_else_comes():
    buckets = RateLimits(most=3)
    buckets.take("desk", 1, 1, 0)
    for number in range(100):
        buckets.take(f"people:{number}", 1, 1, 0)
        assert buckets.take("desk", 1, 1, 0) > 0


def test_a_new_caller_displaces_the_one_that_was_seen_first_and_not_itself():
    buckets = RateLimits(most=2)
    for name in ("a", "b", "c"):
        assert buckets.take(name, 1, 1, 0) == 0
    assert buckets.take("c", 1, 1, 0) > 0
    assert buckets.take("a", 1, 1, 0) == 0


def test_some_tokens_are_taken_as_far_as_they_last():
    buckets = RateLimits()
    assert buckets.take_some("a", 2.0, 5.0, 0.0, 3) == (3, 0.0)
    assert buckets.take_some("a", 2.0, 5.0, 0.0, 4) == (2, 1.0)  # two are missing, at two per second
    assert buckets.take_some("a", 2.0, 5.0, 1.0, 0) == (0, 0.0)
    assert buckets.take_some("a", 2.0, 5.0, 1.0, 2) == (2, 0.0)


def test_the_wait_for_more_than_a_burst_is_that_for_a_full_burst():
    buckets = RateLimits()
    assert buckets.take_some("a", 2.0, 5.0, 0.0, 100) == (5, 2.5)
