"""The table in docs/subscribing.md: what it says is what the cadence does, and it is current."""

import random
import statistics
from datetime import timedelta
from pathlib import Path

import pytest

from docs_build.cadence_page import looks_per_hour, mean_seconds, put_into, worst_seconds
from runtime.settings import WatchSettings
from runtime.units import Step

PAGE = Path(__file__).parents[3] / "docs" / "subscribing.md"


def test_the_page_shows_the_defaults_of_today():
    page = PAGE.read_text()
    assert put_into(page, WatchSettings()) == page, "run: python -m docs_build.cadence_page"


@pytest.mark.parametrize("jitter", [0.0, 0.1, 0.5])
def test_the_formulas_are_what_random_changes_meet(jitter):
    step, randomness = Step(timedelta(seconds=60)), random.Random(1)
    gaps = [60.0 * (1 - jitter + 2 * jitter * randomness.random()) for _ in range(50_000)]
    reactions = [gap * randomness.random() for gap in randomness.choices(gaps, gaps, k=50_000)]
    assert statistics.fmean(reactions) == pytest.approx(mean_seconds(step, jitter), rel=0.02)
    assert max(reactions) <= worst_seconds(step, jitter)
    assert 3600 * len(gaps) / sum(gaps) == pytest.approx(looks_per_hour(step), rel=0.02)
