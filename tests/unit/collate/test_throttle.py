import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.collate.call_policy.throttle import Throttle


def served(throttle, start, seconds):
    """Take as much as possible for some seconds."""
    now, count = start, 0
    while True:
        wait = throttle.wait(now, 0.0)
        if now + wait > start + seconds:
            return count
        now += wait
        throttle.take(now)
        count += 1


def test_over_time_the_bucket_allows_its_rate_and_one_burst():
    assert served(Throttle(100.0, 64, 30.0, 0.0), 0.0, 10.0) == pytest.approx(1_000 + 25, abs=2)


def test_a_rate_below_one_a_second_still_serves():
    assert served(Throttle(0.5, 64, 30.0, 0.0), 0.0, 20.0) == pytest.approx(11, abs=1)


def test_a_cut_slows_the_rate_at_most_once_a_second_and_the_rate_returns():
    throttle = Throttle(100.0, 64, 30.0, 0.0)
    throttle.cut(10.0)
    throttle.cut(10.5)
    assert throttle.per_second(10.0) == pytest.approx(70.0)
    assert throttle.per_second(11.0) == pytest.approx(70.0 + 100 / 30)
    assert [throttle.limit(now) for now in (10.0, 11.0, 60.0)] == [44, 46, 64]
    assert throttle.per_second(60.0) == 100.0


def test_after_an_outage_the_rate_ramps_up_in_the_set_time():
    throttle = Throttle(100.0, 64, 30.0, 0.0)
    throttle.restart(1_000.0)
    assert served(throttle, 1_000.0, 1.0) <= 9
    assert throttle.per_second(1_015.0) == pytest.approx(55.0, abs=1)
    assert throttle.per_second(1_029.0) == 100.0
    assert [throttle.limit(now) for now in (1_001.0, 1_015.0, 1_029.0)] == [5, 35, 64]


def test_a_reserved_share_is_left_to_other_calls():
    throttle = Throttle(100.0, 64, 30.0, 0.0)
    while throttle.wait(0.0, 0.5) == 0:
        throttle.take(0.0)
    assert throttle.wait(0.0) == 0
    left = 0
    while throttle.wait(0.0) == 0:
        throttle.take(0.0)
        left += 1
    assert left == 12


def test_a_call_starts_eventually_even_if_everything_is_reserved():
    throttle = Throttle(2.0, 64, 30.0, 0.0)
    throttle.take(0.0)
    assert 0 < throttle.wait(0.0, 0.9) < 1


@given(
    st.floats(0.1, 1_000),
    st.floats(0, 60),
    st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["take", "cut", "restart"])), max_size=80),
)
def test_the_bucket_never_exceeds_rate_and_burst_and_every_wait_ends(per_second, ramp, steps):
    throttle = Throttle(per_second, 64, ramp, 0.0)
    now, count = 0.0, 0
    for gone, step in steps:
        now += gone
        match step:
            case "cut":
                throttle.cut(now)
            case "restart":
                throttle.restart(now)
            case "take":
                wait = throttle.wait(now)
                assert wait <= 1 / (0.05 * per_second) + 1e-6
                if wait == 0:
                    throttle.take(now)
                    count += 1
        assert count <= now * per_second + max(1.0, per_second / 4) + 1e-6
        assert 0.05 <= throttle.share(now) <= 1
        assert 1 <= throttle.limit(now) <= 64
