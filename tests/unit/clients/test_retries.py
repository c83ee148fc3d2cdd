"""Pauses between tries: Retry-After, else full jitter below a bound that doubles."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collate_gateway_client.retries import Backoff, retry_after

NOW = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
RANDOM = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3),
        (" 10 ", 10),
        ("0", 0),
        ("Tue, 02 Jun 2026 14:00:30 GMT", 30),
        ("Tue, 02 Jun 2026 13:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert retry_after({"retry-after": header}, NOW) == seconds


def test_no_header_says_nothing():
    assert retry_after({}, NOW) is None


@given(st.lists(RANDOM, min_size=1, max_size=40))
def test_a_pause_is_below_a_bound_that_doubles_up_to_the_longest(randoms):
    backoff = Backoff(0.2, 8)
    for number, random in enumerate(randoms):
        assert backoff.pause(random) == random * min(8, 0.2 * 2**number)
    backoff.reset()
    assert backoff.pause(0.5) == 0.1


@given(st.lists(st.tuples(RANDOM, st.floats(0, 3600)), min_size=1, max_size=20))
def test_a_pause_is_never_shorter_than_retry_after(tries):
    backoff = Backoff(0.2, 8)
    for random, seconds in tries:
        assert seconds <= backoff.pause(random, seconds) <= seconds + 0.2
