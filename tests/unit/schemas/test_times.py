from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import format_time, parse_time

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=OFFSETS))  # noqa: DTZ001 -- hypothesis adds the zone
def test_a_time_is_read_as_written_in_utc(time):
    text = format_time(time)
    assert text.endswith("Z")
    assert parse_time(text) == time
    assert parse_time(text).tzinfo is UTC
    assert parse_time(time.isoformat()) == time


@pytest.mark.parametrize(
    ("text", "golden"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00.5+01:00", "2026-01-31T11:00:00.500000Z"),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
        ("2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00Z"),
    ],
)
def test_golden_times(text, golden):
    assert format_time(parse_time(text)) == golden


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "1700000000",
        "2026-01-31T12:00:00",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00Z",
        "2026-W05-6T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-01-31T12:00:60Z",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-10:00",
        "0000-01-01T00:00:00Z",
        "\uff12\uff10\uff12\uff16-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z\n",
    ],
)
def test_text_that_is_not_rfc_3339_is_rejected_without_quoting_it(text):
    with pytest.raises(ValueError, match=r"\Anot a") as caught:
        parse_time(text)
    assert not text or text not in str(caught.value)
