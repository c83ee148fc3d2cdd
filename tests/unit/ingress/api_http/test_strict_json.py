import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingress.api_http.api_problems import MalformedJson
from gateway.ingress.api_http.strict_json import MAX_DEPTH, read_object

NAMES = st.text(max_size=8).filter(lambda name: "\ud800" not in name)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner)
)


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_a_strict_object_equals_the_json_decoders_object(document):
    body = json.dumps(document).encode()
    problem = found = None
    try:
        found = read_object(body)
    except MalformedJson as error:
        problem = error.detail
    assert found == document or "Nest less" in problem


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        (b"", "column 1"),
        (b"{", "line 1"),
        (b"[]", "in braces"),
        (b'"text"', "in braces"),
        (b"null", "in braces"),
        (b'{"a": 1} trailing', "column 10"),
        (b'{"a": 1, "a": 2}', "once"),
        (b'{"a": {"b": 1, "b": 1}}', "once"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "NaN"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "line 1"),
        (b"\xff\xfe{\x00}\x00", "UTF-8"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "smaller numbers"),
        (b'{"a": ' + b"[" * 60_000, "Nest less"),
        (b'{"a": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "Nest less"),
        (b"{'a': 1}", "line 1"),
    ],
)
def test_a_body_that_is_not_one_strict_object_is_rejected_with_advice(body, advice):
    with pytest.raises(MalformedJson) as caught:
        read_object(body)
    assert advice in caught.value.detail


def test_brackets_in_strings_do_not_count_as_depth():
    assert read_object(b'{"a": "' + b"[{" * 100 + b'\\"[[["}')["a"].endswith('"[[[')


@given(st.binary(max_size=200))
def test_any_bytes_raise_at_most_malformed_json(body):
    with contextlib.suppress(MalformedJson):
        read_object(body)


@given(st.text(alphabet='{}[]",:\\ \n01aN', max_size=200))
def test_any_punctuation_raises_at_most_malformed_json(text):
    with contextlib.suppress(MalformedJson):
        read_object(text.encode())
