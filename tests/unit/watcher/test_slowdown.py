"""What becomes of the steps when the call budget is too short for them, in simulated time."""

import heapq
import random

import pytest

from consumers.watcher.slowdown import Slowdown


def simulate(authorizations, *, step, per_second, seconds, slowdown):
    """Play a population that looks every `step` against a budget (a rate, or one for each time); return the looks.

    Each is (when, seconds since the same authorization's last look); and when some were held.
    """
    randomness = random.Random(1)
    due = [(randomness.random() * step, key) for key in range(authorizations)]
    heapq.heapify(due)
    budget = per_second if callable(per_second) else lambda _: per_second
    last, looks, held, tokens, before = {}, [], [], 0.0, 0.0
    while due[0][0] < seconds:
        now, key = heapq.heappop(due)
        tokens, before = min(5.0, tokens + (now - before) * budget(now)), now
        wait = step * (0.9 + 0.2 * randomness.random())
        if (may := slowdown.due(b"%d" % key, step, now)) > now:
            wait = min(wait, may - now)
        elif tokens >= 1.0:
            tokens -= 1.0
            looks.append((now, now - last.get(key, now)))
            last[key] = now
            slowdown.observed(b"%d" % key, now)
            slowdown.count(now, step, deferred=False)
        else:
            held.append(now)
            wait *= randomness.random()
            slowdown.count(now, step, deferred=True)
        heapq.heappush(due, (now + wait, key))
    return looks, held


def test_a_budget_that_is_long_enough_stretches_nothing():
    slowdown = Slowdown()
    simulate(1_000, step=60.0, per_second=50.0, seconds=600.0, slowdown=slowdown)
    assert slowdown.factor < 1.05


@pytest.mark.parametrize("shortage", [2.0, 8.0])
def test_a_short_budget_is_shared_evenly_and_hardly_asked_in_vain(shortage):
    slowdown = Slowdown()
    authorizations, step = 1_000, 10.0
    per_second = authorizations / step / shortage
    looks, held = simulate(authorizations, step=step, per_second=per_second, seconds=1_000.0, slowdown=slowdown)
    assert len(looks) > 0.8 * per_second * 1_000.0, "the budget is used"
    in_vain = sum(at > 250.0 for at in held)
    assert in_vain < 0.5 * len(looks), "and hardly asked in vain: without a slowdown it is 2 and 14 times as often"
    gaps = sorted(gap for at, gap in looks if at > 500.0)
    assert gaps[len(gaps) // 2] < 1.3 * shortage * step
    assert gaps[-1] < 6 * shortage * step, "nobody starves"


@pytest.mark.parametrize("authorizations", [1, 3, 300])
@pytest.mark.parametrize("left", [0.0, 0.05, 0.5], ids=["nothing", "a twentieth", "half"])
def test_after_a_bad_time_everybody_is_back_at_the_table_within_a_few_steps(authorizations, left):
    slowdown, step, begins, ends = Slowdown(), 60.0, 600.0, 3_000.0

    def budget(now):
        return left * authorizations / step if begins <= now < ends else authorizations

    looks, held = simulate(authorizations, step=step, per_second=budget, seconds=ends + 50 * step, slowdown=slowdown)
    assert held, "it was a bad time"
    assert slowdown.factor == 1.0
    gaps = [gap for at, gap in looks if at > ends + 40 * step]
    assert len(gaps) > 8 * authorizations
    assert max(gaps) <= 1.1 * step


def test_nothing_that_was_set_in_a_bad_time_outlives_it():
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


def test_keys_that_are_not_looked_at_any_more_are_not_kept_for_ever():
    slowdown = Slowdown()
    for second in range(100):
        slowdown.count(second, 60.0, deferred=True)
    for number in range(10_000):
        slowdown.observed(b"%d" % number, number * 3_600.0)
    assert slowdown.due(b"0", 60.0, 0.0) < 0.0
    assert slowdown.due(b"9999", 60.0, 0.0) > 9_999 * 3_600.0


def test_it_goes_no_further_than_the_setting_and_back_by_itself():
    slowdown = Slowdown(4.0)
    for second in range(1_000):
        slowdown.count(second, 10.0, deferred=True)
    assert slowdown.factor == 4.0
    for second in range(1_000, 2_000):
        slowdown.count(second, 10.0, deferred=False)
    assert slowdown.factor == 1.0


def test_a_few_looks_held_now_and_then_stretch_nothing():
    slowdown = Slowdown()
    for second in range(1_000):
        slowdown.count(second, 10.0, deferred=second % 50 == 0)
    assert slowdown.factor == 1.0
