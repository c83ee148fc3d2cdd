import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.authorization import recent_commands
from consumers.authorization.recent_commands import CommandEnd

NOW = 1_800_000_000.0
ids = st.uuids().map(str)


def found(packed, commands):
    return [one for one in commands if recent_commands.find(packed, one) is not None]


def test_an_entry_takes_24_bytes_and_comes_back():
    one = str(uuid.uuid4())
    packed = recent_commands.add("", one, b"abcdefgh", CommandEnd.DEAD_LETTERED, NOW + 0.7, until=NOW)
    assert len(packed) == 32
    assert recent_commands.find(packed, one) == recent_commands.RecentCommand(b"abcd", CommandEnd.DEAD_LETTERED, NOW)
    assert recent_commands.find(packed, str(uuid.uuid4())) is None
    assert recent_commands.find("", one) is None


@given(st.lists(st.tuples(ids, st.binary(min_size=4, max_size=4)), max_size=20))
def test_every_recent_command_is_found(entries):
    packed = ""
    for at, (one, digest) in enumerate(entries):
        packed = recent_commands.add(packed, one, digest, CommandEnd.FINISHED, NOW + at, until=NOW + at)
    last = dict(entries)
    assert {one: recent_commands.find(packed, one).digest for one in last} == last
    assert len(packed) == 32 * len(last)


def test_an_id_that_crosses_two_entries_is_not_found():
    head, tail = b"\x01" * 8, b"\x02" * 8
    packed = recent_commands.add("", str(uuid.UUID(bytes=head + head)), head[:4], CommandEnd.FINISHED, NOW, until=NOW)
    packed = recent_commands.add(
        packed, str(uuid.UUID(bytes=tail + tail)), head[:4], CommandEnd.FINISHED, NOW, until=NOW
    )
    assert recent_commands.find(packed, str(uuid.UUID(bytes=head + head[:4] + b"\x01" * 4))) is not None
    crossing = str(uuid.UUID(bytes=b"\x01" * 4 + head[:4] + b"\x02" * 8))
    assert recent_commands.find(packed, crossing) is None


def test_an_id_is_dropped_after_a_day_and_at_most_2048_are_kept():
    everyone = [str(uuid.uuid4()) for _ in range(2_060)]
    # Below the bound `add` only appends; adding each to the text of all takes a second.
    packed = "".join(
        recent_commands.add("", one, b"dddd", CommandEnd.FINISHED, NOW + at, until=NOW + at)
        for at, one in enumerate(everyone[:2_040])
    )
    for at, one in enumerate(everyone[2_040:], 2_040):
        packed = recent_commands.add(packed, one, b"dddd", CommandEnd.FINISHED, NOW + at, until=NOW + at)
    assert recent_commands.ids(packed) == [recent_commands.id_bytes(one) for one in everyone[-2048:]]
    later = NOW + recent_commands.REMEMBERED_SECONDS + 500
    added = recent_commands.add(packed, everyone[0], b"dddd", CommandEnd.FINISHED, later, until=later)
    assert recent_commands.ids(added) == [recent_commands.id_bytes(one) for one in (*everyone[500:], everyone[0])]
    assert len(recent_commands.ids(packed, later)) == 2_060 - 500
    assert recent_commands.last_at(packed) == NOW + 2_059


def test_the_day_counts_from_the_end_of_one_to_the_acceptance_of_another():
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    packed = recent_commands.add("", first, b"dddd", CommandEnd.FINISHED, NOW, until=NOW)
    for until, kept in ((NOW + 24 * 3600 + 60, [first, second]), (NOW + 24 * 3600 + 61, [second])):
        added = recent_commands.add(packed, second, b"dddd", CommandEnd.FINISHED, NOW + 30 * 24 * 3600, until=until)
        assert found(added, [first, second]) == kept


def test_an_entry_is_removed_by_its_number():
    packed, everyone = "", [str(uuid.uuid4()) for _ in range(3)]
    for one in everyone:
        packed = recent_commands.add(packed, one, b"dddd", CommandEnd.FINISHED, NOW, until=NOW)
    assert found(recent_commands.without(packed, 1), everyone) == [everyone[0], everyone[2]]


def test_the_digest_is_keyed_and_its_parts_do_not_run_together():
    assert recent_commands.digest(b"k1", b"a") != recent_commands.digest(b"k2", b"a")
    assert recent_commands.digest(b"k", b"ab", b"c") != recent_commands.digest(b"k", b"a", b"bc")


@pytest.mark.parametrize("time", [0.0, 4e9])
def test_a_wrong_clock_does_not_lose_an_id(time):
    one = str(uuid.uuid4())
    assert (
        recent_commands.find(recent_commands.add("", one, b"dddd", CommandEnd.FINISHED, time, until=time), one)
        is not None
    )


@pytest.mark.parametrize(("end", "bits"), [(CommandEnd.FINISHED, 0), (CommandEnd.DEAD_LETTERED, 1)])
def test_the_bytes_of_an_entry_never_change(end, bits):
    """They are on disk, in the `state` topic."""
    packed = recent_commands.add(
        "", "00010203-0405-0607-0809-0a0b0c0d0e0f", b"dddd....", end, 1_704_067_200 + 5, until=1_704_067_200 + 5
    )
    assert base64.b64decode(packed) == bytes(range(16)) + b"dddd" + (bits << 30 | 5).to_bytes(4, "big")
