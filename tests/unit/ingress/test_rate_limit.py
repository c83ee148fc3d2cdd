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


def test_buckets_of_removed_callers_are_removed():
    buckets = RateLimits()
    buckets.take("a", 1, 1, 0)
    buckets.keep_only(frozenset())
    assert buckets.take("a", 1, 1, 0) == 0
