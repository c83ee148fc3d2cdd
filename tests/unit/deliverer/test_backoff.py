import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.deliverer.backoff import FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, pause_seconds


@pytest.mark.parametrize(("elapsed", "pause"), [(-5, 1), (0, 1), (3, 3), (60, 60), (300, 300), (80_000, 300)])
def test_the_pause_grows_with_the_time_since_the_first_try(elapsed, pause):
    assert pause_seconds(elapsed, 1.0) == pause
    assert pause_seconds(elapsed, 0.0) == pause / 2


@given(st.floats(-1e6, 1e6), st.floats(0, 1), st.none() | st.floats(0, 3600))
def test_the_pause_is_bounded_and_never_shorter_than_retry_after(elapsed, chance, wait):
    pause = pause_seconds(elapsed, chance, wait)
    assert FIRST_PAUSE_SECONDS / 2 <= pause <= max(LAST_PAUSE_SECONDS, wait or 0)
    assert wait is None or pause >= wait


def test_a_day_has_few_tries():
    elapsed, tries = 0.0, 1
    while elapsed < 86_400:
        elapsed += pause_seconds(elapsed, 0.5)
        tries += 1
    assert tries < 420
