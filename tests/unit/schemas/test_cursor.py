from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.api.cursor import CursorInvalid, read_cursor, write_cursor

AT = datetime(2026, 6, 2, 14, 0, 0, 123_456, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-(2**62), 2**62), st.text("abcdefXYZ0123456789._~-"))
def test_a_cursor_keeps_the_sort_key_of_a_page_s_last_row(at, number, text):
    assert read_cursor(write_cursor(at, number, text), datetime, int, str) == (at, number, text)


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_other_text_is_rejected_as_a_cursor(text):
    with pytest.raises(CursorInvalid):
        read_cursor(text, datetime, int, int)


@pytest.mark.parametrize("key", [(1 << 63, 0), (0, True), (0, None), (0.5, 1), (1,), (1, 2, 3)])
def test_a_cursor_with_values_of_other_types_is_rejected(key):
    with pytest.raises(CursorInvalid):
        read_cursor(write_cursor(AT, *key), datetime, int, int)


@pytest.mark.parametrize("member", ["\ud800", "a\0b", 7, None, [], {}])
def test_a_forged_member_that_is_no_stored_text_is_rejected(member):
    with pytest.raises(CursorInvalid):
        read_cursor(write_cursor(AT, member), datetime, str)
