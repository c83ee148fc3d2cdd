from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http_connection.clock_skew import clock_skew_seconds

NOW = 1_780_000_000.0


def date(at):
    return formatdate(at, usegmt=True)


@pytest.mark.parametrize(
    ("header", "sent_at", "received_at", "skew"),
    [
        (date(NOW), NOW, NOW + 0.2, 0.0),
        (date(NOW), NOW + 0.9, NOW + 1.2, 0.0),
        (date(NOW - 10), NOW, NOW + 0.2, 9.0),
        (date(NOW + 10), NOW, NOW + 0.2, -9.8),
        # Collate took 30 s to respond: it may have written the Date at any moment of them.
        (date(NOW), NOW - 30, NOW + 0.2, 0.0),
        (date(NOW), NOW, NOW + 30, 0.0),
        (None, NOW, NOW, None),
        ("", NOW, NOW, None),
        ("yesterday", NOW, NOW, None),
        ("Sun, 06 Nov 99999 08:49:37 GMT", NOW, NOW, None),
    ],
)
def test_a_date_proves_the_least_skew(header, sent_at, received_at, skew):
    assert clock_skew_seconds(header, sent_at, received_at) == (None if skew is None else pytest.approx(skew))


@given(st.floats(-1e6, 1e6), st.floats(0, 60), st.floats(0, 60))
def test_the_skew_is_never_larger_than_it_is(ahead, until_date, until_response):
    found = clock_skew_seconds(date(NOW + until_date), NOW + ahead, NOW + ahead + until_date + until_response)
    assert abs(found) <= abs(ahead) + 1e-3
    assert found * ahead >= 0
