import json
import uuid
from pathlib import Path

import pytest

from consumers.authorization import recent_callers
from consumers.authorization.recent_commands import CommandEnd
from consumers.authorization.state import (
    MOST_BYTES,
    NEW,
    AuthorizationState,
    CommandRef,
    CommandWork,
    Grant,
    Handoff,
    Intent,
    Known,
    Missing,
    OpenDeadLetter,
    Part,
    StateTooLarge,
    StateUnreadable,
    WatchStatus,
)
from consumers.engine.torn import LOST_STATE

# The bytes that the release before the renaming wrote: field names on disk never change.
STORED = Path(__file__).with_name("stored_state.json").read_bytes()
FULL = AuthorizationState(
    sequence=7,
    life=1_800_000_000_000,
    floor=3,
    known=Known(version=3, status="requires_action", action="complete_payer_interaction"),
    active=Handoff(id="mh_1", state="active", seen_at=1.5, open_version=3, opener=CommandRef(command_id="c")),
    emitted_action=("complete_payer_interaction", None, "rev_1"),
    ended=("mh_0",),
    work=CommandWork(
        command_id="c",
        command="t",
        caller="me",
        n=1,
        intent=Intent(n=1, operation="create", if_match=3, version=3, key="k", body_digest="d", first_sent_at=2.0),
    ),
    dead_letters={"d": OpenDeadLetter(at=1.0, command="t", caller="me", digest="00000000")},
    early_grant=Grant(handoff_id="mh_2", until=1.5),
    watch=WatchStatus(since=1.0, until=2.0, moved_at=1.5, failures=8, missing=Missing(since=1.5, observations=3)),
)


def test_a_state_is_decoded_as_it_was_encoded():
    assert AuthorizationState.decode(FULL.encode()) == FULL
    assert AuthorizationState.decode(None) is NEW
    assert NEW.encode() == b"{}"


def test_fields_of_a_newer_version_are_kept_at_every_depth():
    wire = json.loads(FULL.encode())
    wire["newer"] = {"a": [1]}
    wire["known"]["newer"] = "x"
    wire["work"]["intent"]["newer"] = 5
    state = AuthorizationState.decode(json.dumps(wire).encode())
    state = state.replace(sequence=8, known=state.known.replace(version=4))
    again = json.loads(state.encode())
    assert (again["newer"], again["known"]["newer"], again["work"]["intent"]["newer"]) == ({"a": [1]}, "x", 5)
    assert (again["sequence"], again["known"]["version"]) == (8, 4)


@pytest.mark.parametrize("wrong", [b"", b"[]", b'{"sequence":"x"}', b"\xff", LOST_STATE])
def test_an_unreadable_state_is_an_error_that_quotes_nothing(wrong):
    with pytest.raises(StateUnreadable) as caught:
        AuthorizationState.decode(wrong)
    assert caught.value.__cause__ is None


def test_a_full_state_stays_below_the_limit():
    packed, callers = "", ""
    for at in range(1100):
        one, caller, now = str(uuid.uuid4()), f"c{at % 9}", 1.8e9 + at
        packed, callers, _ = recent_callers.add(
            packed, callers, one, b"dd", CommandEnd.FINISHED, caller=caller, now=now, until=now
        )
    metadata = {f"k{i:063}": "v" * 64 for i in range(16)}
    one = OpenDeadLetter(at=1.0, command="t" * 64, caller="c" * 128, digest="0" * 8, metadata=metadata)
    dead = {str(uuid.uuid4()): one for _ in range(64)}
    assert len(FULL.replace(recent_commands=packed, recent_callers=callers, dead_letters=dead).encode()) < MOST_BYTES
    with pytest.raises(StateTooLarge):
        AuthorizationState.decode(json.dumps({"newer": "x" * MOST_BYTES}).encode()).encode()


def test_the_state_of_a_watched_authorization_takes_less_than_a_kibibyte():
    assert len(FULL.replace(work=None, dead_letters={}).encode()) < 1024


def test_a_state_without_the_newest_fields_is_readable():
    wire = json.loads(FULL.encode())
    del wire["early_grant"], wire["watch"]["missing"], wire["dead"]["d"]["digest"]
    state = AuthorizationState.decode(json.dumps(wire).encode())
    assert (state.early_grant, state.watch.missing, state.dead_letters["d"].digest) == (None, None, None)


def test_replacing_an_unknown_field_is_an_error():
    with pytest.raises(TypeError, match="sequense"):
        FULL.replace(sequense=1)


def test_replace_returns_a_copy():
    changed = FULL.replace(sequence=9)
    assert (FULL.sequence, changed.sequence) == (7, 9)
    assert changed.known is FULL.known


def test_a_stored_state_with_every_field_is_read_and_written_back_byte_for_byte():
    state = AuthorizationState.decode(STORED)
    assert state.encode() == STORED


def test_the_stored_state_holds_every_field_with_a_value_that_is_not_the_default():
    def check(part):
        for name, field in type(part).model_fields.items():
            value = getattr(part, name)
            assert value != field.default, f"{type(part).__name__}.{name} is missing in stored_state.json"
            parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
            for one in parts:
                if isinstance(one, Part):
                    check(one)

    check(AuthorizationState.decode(STORED))


def test_a_part_built_without_validation_equals_the_validated_part():
    state = AuthorizationState.decode(STORED)
    for part in (state, state.known, state.active, state.active.opener, state.watch, state.work, state.work.intent):
        fields = {name: getattr(part, name) for name in reversed(type(part).model_fields)}
        built = type(part).model_construct(**fields)
        assert built == part
        assert built.model_dump_json(by_alias=True) == part.model_dump_json(by_alias=True)
    least = AuthorizationState.model_construct()
    assert (least, least.encode()) == (AuthorizationState(), b"{}")
