from datetime import UTC, datetime

import pytest

from gateway.ingress.commands.idempotency import Remembered, Replays, read_key
from runtime.http_server.port_problems import InvalidHeader


def test_a_quoted_key_may_have_spaces_commas_and_backslashes():
    assert read_key(rb'"a b, \"c\" \\"') == 'a b, "c" \\'


@pytest.mark.parametrize(
    "header",
    [b"", b'""', b"a b", b"a, b", b'"abc', b'abc"', b"caf\xc3\xa9", b"a\x7f", b'"\x00"', b"k" * 256, b'"abc"; p=1'],
)
def test_a_malformed_key_is_rejected_and_not_quoted(header):
    with pytest.raises(InvalidHeader) as caught:
        read_key(header)
    (fault,) = caught.value.faults
    assert fault.header == "Idempotency-Key"


def test_a_key_may_have_255_characters():
    assert len(read_key(b'"' + b"k" * 255 + b'"')) == 255


def command(digest):
    return Remembered(digest, datetime(2026, 1, 1, tzinfo=UTC))


def test_the_first_body_of_a_key_is_remembered():
    replays = Replays(10, 60)
    replays.remember("c1", command("first"), now=0)
    replays.remember("c1", command("second"), now=1)
    assert replays.recall("c1", now=2).digest == "first"


def test_the_oldest_command_makes_room():
    replays = Replays(2, 60)
    for number in range(3):
        replays.remember(f"c{number}", command(""), now=number)
    assert [replays.recall(f"c{number}", now=3) is None for number in range(3)] == [True, False, False]
    assert len(replays) == 2


def test_a_command_is_forgotten_after_the_retention():
    replays = Replays(2, 60)
    replays.remember("c", command(""), now=0)
    assert replays.recall("c", now=60) is not None
    assert replays.recall("c", now=61) is None
