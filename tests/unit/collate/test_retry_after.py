from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.collate.response_parser import LONGEST_SECONDS, retry_after_seconds

NOW = 1_780_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        (b"0", 0.0),
        (b"120", 120.0),
        (b" 1.5 ", 1.5),
        (b"999999999999", LONGEST_SECONDS),
        (b"-1", None),
        (b"1e3", None),
        (b"soon", None),
        (b"", None),
        (b"\xff\xfe", None),
        (formatdate(NOW + 30, usegmt=True).encode(), 30.0),
        (formatdate(NOW - 30, usegmt=True).encode(), 0.0),
        (formatdate(NOW + 1e6, usegmt=True).encode(), LONGEST_SECONDS),
        (b"Sun, 06 Nov 9999 08:49:37 GMT", LONGEST_SECONDS),
        (b"Sun, 06 Nov 99999 08:49:37 GMT", None),
    ],
)
def test_seconds_and_dates_are_understood_and_capped(header, seconds):
    assert retry_after_seconds(header, NOW) == seconds


@given(st.binary(max_size=60))
def test_whatever_the_header_says_the_wait_is_bounded(header):
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_SECONDS
