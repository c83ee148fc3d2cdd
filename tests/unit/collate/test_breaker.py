from hypothesis import given
from hypothesis import strategies as st

from adapters.collate.call_policy.breaker import Breaker, BreakerConfig, BreakerState, Evidence
from schemas.events.wait_reasons import HoldReason

CLOSED, HALF_OPEN, OPEN = BreakerState
GOOD, BAD, NOTHING = Evidence


def breaker(threshold=3, first=5.0, longest=30.0, to_close=2, chance=0.5):
    return Breaker(HoldReason.BREAKER, "all", BreakerConfig(threshold, first, longest, to_close), lambda: chance)


def opened(now=0.0, chance=0.5):
    it = breaker(chance=chance)
    for subject in "abc":
        it.record(now, subject, BAD, probe=False)
    return it


def test_one_authorization_alone_never_opens_the_breaker():
    it = breaker()
    for _ in range(1_000):
        assert not it.record(0.0, "a", BAD, probe=False)
    assert it.state is CLOSED
    assert it.retry_at(0.0) is None


def test_failures_of_different_authorizations_in_a_row_open_the_breaker():
    it = breaker()
    for subject, state in (("a", CLOSED), ("a", CLOSED), ("b", CLOSED), ("c", OPEN)):
        it.record(0.0, subject, BAD, probe=False)
        assert it.state is state


def test_a_success_between_failures_keeps_the_breaker_closed():
    it = breaker()
    for subject in "abcdefgh":
        it.record(0.0, subject, BAD, probe=False)
        it.record(0.0, "a", GOOD, probe=False)
    assert it.state is CLOSED


def test_an_open_breaker_defers_calls_until_its_time_is_over():
    it = opened()
    assert 5.0 <= it.retry_at(0.1) <= 5.0 + 5.0 * 0.25
    assert it.retry_at(5.0) is None


def test_a_half_open_breaker_allows_one_probe_at_a_time():
    it = opened()
    assert it.enter(5.0)
    assert it.state is HALF_OPEN
    assert it.retry_at(5.0) > 5.0
    it.record(0.0, "a", GOOD, probe=True)
    assert it.retry_at(5.1) is None


def test_enough_successful_probes_close_the_breaker():
    it = opened()
    it.enter(5.0)
    assert not it.record(0.0, "a", GOOD, probe=True)
    it.enter(5.1)
    assert it.record(0.0, "a", GOOD, probe=True)
    assert it.state is CLOSED
    assert it.enter(5.2) is False


def test_a_failed_probe_doubles_the_open_time_up_to_the_longest():
    it = opened(chance=0.0)
    now, waits = 0.0, []
    for _ in range(5):
        until = it.retry_at(now)
        waits.append(until - now)
        now = until
        assert it.enter(now)
        it.record(now, "x", BAD, probe=True)
    assert waits == [5.0, 10.0, 20.0, 30.0, 30.0]


def test_a_failed_probe_after_a_success_restarts_with_the_first_open_time():
    it = opened(chance=0.0)
    now = 0.0
    for _ in range(3):
        now = it.retry_at(now)
        it.enter(now)
        it.record(now, "x", BAD, probe=True)
    now = it.retry_at(now)
    it.enter(now)
    it.record(0.0, "a", GOOD, probe=True)
    it.enter(now)
    it.record(now, "x", BAD, probe=True)
    assert it.retry_at(now) - now == 5.0


def test_late_results_of_calls_from_before_the_opening_change_nothing():
    it = opened()
    assert not it.record(0.0, "a", GOOD, probe=False)
    assert not it.record(1.0, "z", BAD, probe=False)
    assert it.state is OPEN
    assert it.retry_at(4.9) is not None


def test_the_breaker_stays_open_at_least_as_long_as_collate_asks():
    it = breaker(threshold=1)
    it.record(0.0, "a", BAD, probe=False, at_least_seconds=42.0)
    assert it.retry_at(41.9) >= 42.0
    assert it.retry_at(42.0) is None


def test_a_late_answer_that_asks_for_more_time_gets_it():
    it = opened()
    it.record(1.0, "d", BAD, probe=False, at_least_seconds=30.0)
    it.record(2.0, "e", BAD, probe=False, at_least_seconds=5.0)
    assert it.retry_at(30.9) is not None
    assert it.retry_at(31.0) is None


def test_a_cancelled_probe_allows_the_next():
    it = opened()
    it.enter(5.0)
    it.abandon()
    assert it.retry_at(5.0) is None


def test_a_probe_without_evidence_repeats_the_open_time():
    it = opened()
    it.enter(5.0)
    it.record(6.0, "a", NOTHING, probe=True)
    assert it.state is OPEN
    assert it.retry_at(10.9) is not None
    assert it.retry_at(11.0) is None


def test_a_retry_allows_a_probe_immediately():
    it = opened()
    it.retry(1.0)
    assert it.retry_at(1.0) is None
    assert it.enter(1.0)


def end(it, now, step, subject, probe):
    match step:
        case "good":
            it.record(0.0, "a", GOOD, probe=probe)
        case "bad":
            it.record(now, subject, BAD, probe=probe)
        case "neutral":
            it.record(now, "a", NOTHING, probe=probe)
        case "abandon":
            if probe:
                it.abandon()


STEPS = st.lists(
    st.tuples(st.sampled_from(["good", "bad", "neutral", "abandon", "time"]), st.sampled_from("abcdef")), max_size=60
)


@given(STEPS, st.integers(1, 4), st.integers(1, 3))
def test_the_breaker_never_defers_beyond_its_longest_time_and_never_allows_two_probes(steps, threshold, to_close):
    it = Breaker(HoldReason.BREAKER, "all", BreakerConfig(threshold, 1.0, 8.0, to_close), lambda: 1.0)
    now, out = 0.0, []
    for step, subject in steps:
        if step == "time":
            now += 0.7
            continue
        if not out:
            until = it.retry_at(now)
            assert until is None or now < until <= now + 8.0 * 1.25
            if until is None:
                out.append(it.enter(now))
        probe = out.pop() if out else False
        if probe:
            assert it.retry_at(now) is not None, "a probe is out"
        end(it, now, step, subject, probe)
    # Left alone it always comes back.
    now += 20.0
    for _ in range(to_close):
        if it.state is not CLOSED:
            assert it.retry_at(now) is None
            it.enter(now)
            it.record(0.0, "a", GOOD, probe=True)
    assert it.state is CLOSED
