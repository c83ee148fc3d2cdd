"""Whose turn an event takes."""

import json

import pytest

from consumers.deliverer.subscription import turn_of
from consumers.engine import Record


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (json.dumps({"caller": "intake"}).encode(), "intake"),
        (json.dumps({"decision": {"caller": "support"}}).encode(), ""),
        (json.dumps({"caller": ["intake"]}).encode(), ""),
        (b'["caller"]', ""),
        (b"no JSON", ""),
        (b"", ""),
    ],
)
def test_the_sender_is_the_events_caller_and_all_events_without_one_are_one_sender(value, source):
    assert turn_of(Record(0, 0, b"auth_1", value, (), 0.0)) == (source, False)
