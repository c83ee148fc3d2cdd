from datetime import timedelta

import pytest

from runtime.settings import WatchSettings
from runtime.settings.watch import LEAST_FORGET_DAYS
from runtime.units import Step, parse_steps
from schemas.topics import EVENT_DAYS


def test_steps_are_parsed_by_age():
    steps = parse_steps("5s until 10m, 15s until 1h,60s")
    assert steps == (
        Step(timedelta(seconds=5), timedelta(minutes=10)),
        Step(timedelta(seconds=15), timedelta(hours=1)),
        Step(timedelta(minutes=1)),
    )
    assert parse_steps(",".join(map(str, steps))) == steps


@pytest.mark.parametrize(
    "text",
    [
        "5s until 10m",
        "5s until 10m, 15s until 10m, 60s",
        "5s until 1h, 15s until 10m, 60s",
        "5s, 15s until 1h",
        "5s, 60s",
        "",
        "5s until 10m,",
        "5s until , 60s",
        "10ms",
    ],
)
def test_the_error_about_steps_gives_an_example(text):
    with pytest.raises(ValueError, match="expected"):
        parse_steps(text)


def test_the_state_of_an_authorization_outlives_its_events():
    with pytest.raises(ValueError, match="forget_after must be 60d or more"):
        WatchSettings(forget_after=timedelta(days=30))
    assert LEAST_FORGET_DAYS == 2 * EVENT_DAYS
