"""The parts of an event stream that a page needs."""

import json

import pytest

from console.views.events import EventFrames

EVENT = {
    "specversion": "1.0",
    "id": "e1",
    "type": "collate-gateway.handoff.closed.v1",
    "subject": "auth_1",
    "time": "2026-06-02T14:30:00Z",
    "sequence": "0000000007",
    "data": {
        "handoffId": "mhand_55",
        "result": "completed_reported",
        "by": "us",
        "version": 25,
        "metadata": {"a": "b"},
    },
}
STREAM = (
    b"retry: 2000\nid: 3.4\n: connected\n\n: still here\n\n"
    b"id: 3.5\nevent: collate-gateway.handoff.closed.v1\ndata: " + json.dumps(EVENT).encode() + b"\n\n"
    b'event: stream.ended\ndata: {"reason":"renew"}\n\n'
)


@pytest.mark.parametrize("size", [1, 3, 17, 10_000])
def test_frames_are_the_same_whatever_the_pieces(size):
    frames = EventFrames()
    found = [frame for at in range(0, len(STREAM), size) for frame in frames.feed(STREAM[at : at + size])]
    assert [(frame.name, frame.id) for frame in found] == [
        ("", "3.4"),
        ("", None),
        ("collate-gateway.handoff.closed.v1", "3.5"),
        ("stream.ended", None),
    ]


def test_an_endless_frame_is_an_error():
    with pytest.raises(ValueError, match="1 MiB"):
        list(EventFrames().feed(b"data: " + b"x" * (1 << 20)))
