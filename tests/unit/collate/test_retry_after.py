from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http_connection.retry_after import LONGEST_SECONDS, retry_after_seconds

NOW = 1_780_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("120", 120.0),
        (" 1.5 ", 1.5),
        ("999999999999", LONGEST_SECONDS),
        ("-1", None),
        ("٣", None),
        ("1e3", None),
        ("soon", None),
        ("", None),
        ("\xff\xfe", None),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        (formatdate(NOW + 1e6, usegmt=True), LONGEST_SECONDS),
        ("Sun, 06 Nov 9999 08:49:37 GMT", LONGEST_SECONDS),
        ("Sun, 06 Nov 99999 08:49:37 GMT", None),
    ],
)
def test_seconds_and_dates_are_understood_and_capped(header, seconds):
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text(max_size=60))
def test_every_retry_after_gives_a_bounded_wait(header):
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_SECONDS
