import json

import pytest

from cli.shadow.mirror import MirroredCommand, UnusableLine, read_line

LINE = {
    "time": "2026-06-02T14:06:00Z",
    "caller": "intake",
    "type": "handoff.request",
    "authorizationId": "auth_1",
    "data": {"metadata": {"case": "c-1"}},
}


def read(**changes):
    return read_line(json.dumps(LINE | changes).encode())


def test_a_line_is_a_command_that_names_its_caller():
    found = read()
    assert isinstance(found, MirroredCommand)
    assert found.type == "collate-gateway.handoff.request.v1"
    assert found.data == {"metadata": {"case": "c-1", "mirrored-caller": "intake"}}


def test_the_same_line_is_the_same_command_and_a_given_id_wins():
    assert read().id == read().id != read(caller="portal").id
    assert read(id="call-1").id == "call-1"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"caller": "Jo Miller"}, "/caller: expected"),
        ({"time": "yesterday"}, "/time: expected"),
        ({"type": "command.redrive"}, "/type: expected"),
        ({"authorizationId": "../x"}, "/authorizationId: expected"),
        ({"extra": 1}, "/extra: expected"),
        ({"data": {"metadata": {str(n): "x" for n in range(16)}}}, "at most 15 pairs"),
        ({"data": {"metadata": "x"}}, "/data/metadata"),
    ],
)
def test_a_wrong_line_names_the_field_and_repeats_nothing(changes, expected):
    found = read(**changes)
    assert isinstance(found, UnusableLine)
    assert expected in found.expected
    assert not any(word in found.expected for word in ("Jo", "yesterday", "../x", "redrive"))


def test_a_line_that_is_no_json_is_wrong():
    assert isinstance(read_line(b"{"), UnusableLine)
