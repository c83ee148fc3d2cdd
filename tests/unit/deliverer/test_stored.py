"""The formats that Kafka stores: a key's state and a dead letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.deliverer.dead_letter import (
    FailedDelivery,
    dead_letter_headers,
    ended_headers,
    read_ended,
    read_failed_delivery,
)
from consumers.deliverer.pending import PendingDelivery, read_pending


@given(st.integers(0, 2**62), st.floats(0, 1e11))
def test_a_pending_delivery_is_read_as_written(offset, since):
    pending = PendingDelivery(offset=offset, since=since)
    assert read_pending(pending.to_json(), offset) == pending


def test_the_bytes_of_a_pending_delivery_are_part_of_the_contract():
    assert PendingDelivery(offset=7, since=1.5).to_json() == b'{"offset":7,"since":1.5}'


@pytest.mark.parametrize(
    "state", [None, b"", b"{}", b"[]", b"1", b'{"offset":7}', b'{"offset":7,"since":"x"}', b"\xff"]
)
def test_an_unreadable_state_is_none(state):
    assert read_pending(state, 7) is None


def test_a_state_of_another_event_is_none():
    assert read_pending(PendingDelivery(offset=7, since=1.0).to_json(), 8) is None


@given(st.binary(max_size=60))
def test_reading_any_bytes_raises_nothing(state):
    read_pending(state, 0)
    read_failed_delivery([("delivery", state)])
    read_ended([("delivery-ended", state)])


def test_a_dead_letter_keeps_the_events_headers():
    failed = FailedDelivery(partition=3, offset=17, since=1.0, dead_at=2.0, result="status_5xx", status=503)
    headers = dead_letter_headers((("ce_id", b"1"), ("delivery", b"old"), ("transaction", b"7")), failed)
    assert headers[1][1] == (b'{"partition":3,"offset":17,"since":1.0,"deadAt":2.0,"result":"status_5xx","status":503}')
    assert headers[0] == ("ce_id", b"1")
    assert read_failed_delivery(headers) == failed
    assert [name for name, _ in headers].count("delivery") == 1
    assert failed.position == "3:17"


def test_an_end_names_the_position():
    assert read_ended(ended_headers("3:17")) == "3:17"
    assert read_ended((("ce_id", b"1"),)) is None
    assert read_failed_delivery(ended_headers("3:17")) is None
