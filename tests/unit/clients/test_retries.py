"""Retry-After, as seconds or a date. test_calls.py has the pauses."""

from datetime import UTC, datetime

import pytest

from collate_gateway_client.retries import retry_after

NOW = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)


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
