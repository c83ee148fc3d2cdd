"""The numbers of the table in docs/subscribing.md agree with the cadence."""

import random
from datetime import timedelta

import pytest

from docs_build.cadence_page import worst_seconds
from runtime.units import Step


@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.5])
def test_the_formulas_agree_with_a_simulation(jitter):
    step, randomness = Step(timedelta(seconds=60)), random.Random(1)
    gaps = [60.0 * (1 - jitter + 2 * jitter * randomness.random()) for _ in range(50_000)]
    reactions = [gap * randomness.random() for gap in randomness.choices(gaps, gaps, k=50_000)]
    assert 0.99 * worst_seconds(step, jitter) < max(reactions) <= worst_seconds(step, jitter)
