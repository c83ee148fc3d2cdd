"""What becomes of the steps when the call budget is too short for them, in simulated time."""

import heapq
import random

import pytest

from consumers.watcher.stretch import Stretch


def simulate(authorizations, *, step, per_second, seconds, stretch):
    """Play a population that looks every `step` against a budget; return looks, held looks, gaps between looks."""
    randomness = random.Random(1)
    due = [(randomness.random() * step, key) for key in range(authorizations)]
    heapq.heapify(due)
    last, gaps, held, looks, tokens, before = {}, [], 0, 0, 0.0, 0.0
    while due[0][0] < seconds:
        now, key = heapq.heappop(due)
        tokens, before = min(5.0, tokens + (now - before) * per_second), now
        wait = step * stretch.factor * (0.9 + 0.2 * randomness.random())
        if tokens >= 1.0:
            tokens -= 1.0
            looks += 1
            if now > seconds / 2 and key in last:
                gaps.append(now - last[key])
            last[key] = now
            stretch.note(now, wait, held=False)
        else:
            held += 1
            wait *= randomness.random()
            stretch.note(now, wait, held=True)
        heapq.heappush(due, (now + wait, key))
    return looks, held, sorted(gaps)


def test_a_budget_that_is_long_enough_stretches_nothing():
    stretch = Stretch()
    simulate(1_000, step=60.0, per_second=50.0, seconds=600.0, stretch=stretch)
    assert stretch.factor < 1.05


@pytest.mark.parametrize("shortage", [2.0, 8.0])
def test_a_short_budget_is_shared_evenly_and_hardly_asked_in_vain(shortage):
    stretch = Stretch()
    authorizations, step = 2_000, 10.0
    per_second = authorizations / step / shortage
    looks, held, gaps = simulate(authorizations, step=step, per_second=per_second, seconds=1_000.0, stretch=stretch)
    assert looks > 0.8 * per_second * 1_000.0, "the budget is used"
    assert held < 0.5 * looks, "and hardly asked in vain: without a stretch it is 2 and 14 times as often"
    assert gaps[len(gaps) // 2] < 1.3 * shortage * step
    assert gaps[-1] < 6 * shortage * step, "nobody starves"


def test_it_goes_no_further_than_the_setting_and_back_by_itself():
    stretch = Stretch(4.0)
    for second in range(1_000):
        stretch.note(second, 10.0, held=True)
    assert stretch.factor == 4.0
    for second in range(1_000, 2_000):
        stretch.note(second, 10.0, held=False)
    assert stretch.factor == 1.0


def test_a_few_looks_held_now_and_then_stretch_nothing():
    stretch = Stretch()
    for second in range(1_000):
        stretch.note(second, 10.0, held=second % 50 == 0)
    assert stretch.factor == 1.0
