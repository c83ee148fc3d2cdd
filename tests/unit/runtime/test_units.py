from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.units import parse_duration, parse_size, show_duration, show_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("5m", 300), ("1h30m", 5_400), ("30d", 2_592_000), (" 1.5s ", 1.5), ("0s", 0)],
)
def test_a_duration_is_a_number_with_a_unit(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "30", "s", "-5s", "1h and 2m", "5 weeks", "1e3s", "٣s"])
def test_the_error_about_a_duration_gives_an_example(text):
    with pytest.raises(ValueError, match="like 30s or 1h30m"):
        parse_duration(text)


def test_a_too_long_duration_is_rejected():
    with pytest.raises(ValueError, match="too long"):
        parse_duration("9" * 30 + "d")


@given(st.integers(0, 10**9))
def test_a_formatted_duration_can_be_parsed(milliseconds):
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(show_duration(duration)) == duration


@given(st.integers(0, 2**40))
def test_a_formatted_size_can_be_parsed(size):
    assert parse_size(show_size(size)) == size


@pytest.mark.parametrize("text", ["", "64kb", "-1", "1.5MiB", "64 KB"])
def test_the_error_about_a_size_gives_an_example(text):
    with pytest.raises(ValueError, match="like 64KiB"):
        parse_size(text)
