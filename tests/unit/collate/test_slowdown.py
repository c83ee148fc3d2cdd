"""The slowdown while the call budget is too small, in simulated time."""

import heapq
import random

import pytest

from adapters.collate.call_policy.slowdown import Slowdown


def simulate(authorizations, *, step, per_second, seconds, slowdown):
    """Simulate a population with one `step` and a budget (a rate, or a function of time); return the observations.

    An observation is (time, seconds since the last one of this authorization). Also return the times of deferred ones.
    """
    randomness = random.Random(1)
    due = [(randomness.random() * step, key) for key in range(authorizations)]
    heapq.heapify(due)
    budget = per_second if callable(per_second) else lambda _: per_second
    last, observations, deferred, tokens, before = {}, [], [], 0.0, 0.0
    while due[0][0] < seconds:
        now, key = heapq.heappop(due)
        tokens, before = min(5.0, tokens + (now - before) * budget(now)), now
        wait = step * (0.9 + 0.2 * randomness.random())
        if (may := slowdown.due(b"%d" % key, step, now)) > now:
            wait = min(wait, may - now)
        elif tokens >= 1.0:
            tokens -= 1.0
            observations.append((now, now - last.get(key, now)))
            last[key] = now
            slowdown.observed(b"%d" % key, now)
            slowdown.count(now, step, deferred=False)
        else:
            deferred.append(now)
            wait *= randomness.random()
            slowdown.count(now, step, deferred=True)
        heapq.heappush(due, (now + wait, key))
    return observations, deferred


def test_a_sufficient_budget_causes_no_slowdown():
    slowdown = Slowdown()
    simulate(1_000, step=60.0, per_second=50.0, seconds=600.0, slowdown=slowdown)
    assert slowdown.factor < 1.05


@pytest.mark.parametrize("shortage", [2.0, 8.0])
def test_a_small_budget_is_used_up_and_shared_evenly_with_few_deferred_observations(shortage):
    slowdown = Slowdown()
    authorizations, step = 400, 10.0
    per_second = authorizations / step / shortage
    seen, deferred = simulate(authorizations, step=step, per_second=per_second, seconds=1_000.0, slowdown=slowdown)
    assert len(seen) > 0.8 * per_second * 1_000.0, "the budget is used"
    late_deferred = sum(at > 250.0 for at in deferred)
    assert late_deferred < 0.5 * len(seen), "few are deferred: without a slowdown 2 and 14 times as many"
    gaps = sorted(gap for at, gap in seen if at > 500.0)
    assert gaps[len(gaps) // 2] < 1.3 * shortage * step
    assert gaps[-1] < 6 * shortage * step, "no authorization starves"


@pytest.mark.parametrize("authorizations", [1, 3, 300])
@pytest.mark.parametrize("left", [0.0, 0.05, 0.5], ids=["nothing", "a twentieth", "half"])
def test_after_a_shortage_all_return_to_the_cadence_within_a_few_steps(authorizations, left):
    slowdown, step, begins, ends = Slowdown(), 60.0, 600.0, 3_000.0

    def budget(now):
        return left * authorizations / step if begins <= now < ends else authorizations

    seen, deferred = simulate(authorizations, step=step, per_second=budget, seconds=ends + 50 * step, slowdown=slowdown)
    assert deferred, "the budget was too small"
    assert slowdown.factor == 1.0
    gaps = [gap for at, gap in seen if at > ends + 40 * step]
    assert len(gaps) > 8 * authorizations
    assert max(gaps) <= 1.1 * step


def test_no_slowed_timer_outlives_the_shortage():
    slowdown = Slowdown()
    for second in range(100):
        slowdown.count(second, 60.0, deferred=True)
    slowdown.observed(b"key", 100.0)
    assert slowdown.due(b"key", 60.0, 100.0) == 100.0 + 16.0 * 60.0
    while slowdown.factor > 1.0:
        second += 1
        slowdown.count(second, 60.0, deferred=False)
    assert slowdown.due(b"key", 60.0, second) < 100.0
    assert second < 100.0 + 20 * 60.0


def test_unused_keys_are_dropped():
    slowdown = Slowdown()
    for second in range(100):
        slowdown.count(second, 60.0, deferred=True)
    for number in range(10_000):
        slowdown.observed(b"%d" % number, number * 3_600.0)
    assert slowdown.due(b"0", 60.0, 0.0) < 0.0
    assert slowdown.due(b"9999", 60.0, 0.0) > 9_999 * 3_600.0


def test_the_factor_stays_below_the_setting_and_returns_to_one():
    slowdown = Slowdown(4.0)
    for second in range(1_000):
        slowdown.count(second, 10.0, deferred=True)
    assert slowdown.factor == 4.0
    for second in range(1_000, 2_000):
        slowdown.count(second, 10.0, deferred=False)
    assert slowdown.factor == 1.0


def test_a_few_deferred_observations_cause_no_slowdown():
    slowdown = Slowdown()
    for second in range(1_000):
        slowdown.count(second, 10.0, deferred=second % 50 == 0)
    assert slowdown.factor == 1.0
