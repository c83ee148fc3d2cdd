"""PHI of commands is encrypted and bound to its record (decision 0025)."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.phi_keys import new_keys
from schemas.commands import COMMANDS, Discard, HandoffClose, Original, Redrive, Revoked
from schemas.public_fields import is_public, public_json
from schemas.records import RecordedCommand, UndecryptableRecord, UnreadableRecord, read_command, write_command
from tests.unit.schemas.test_records import HERE, ID, NOW, OTHER, example

KEYS = new_keys()
PHI = "Ms Doe called 555-0199"
CLOSE = HandoffClose(handoff_id="mhand_55", result=Revoked(reason=PHI, notes=PHI))
REDRIVE = example(Redrive)
REDRIVE = REDRIVE.model_copy(
    update={
        "why": PHI,
        "intent": {"operation": "create", "n": 1, "note": PHI},
        "command": REDRIVE.command.model_copy(update={"data": {"notes": PHI}}),
    }
)
DISCARD = example(Discard).model_copy(update={"why": PHI})


def command(data=CLOSE, **changes):
    return replace(RecordedCommand(ID, "intake", "auth_7Q2M", NOW, data), **changes)


@pytest.mark.parametrize("data", [CLOSE, REDRIVE, DISCARD], ids=lambda data: type(data).__name__)
def test_phi_is_readable_with_the_keys_alone(data):
    headers, value = write_command(command(data), HERE, KEYS)
    assert PHI.encode() not in value
    assert read_command(headers, value, KEYS) == command(data)
    shown = read_command(headers, value, None)
    assert public_json(shown.data) == public_json(data)


@pytest.mark.parametrize(
    "model", [model for model in COMMANDS.values() if is_public(model)], ids=lambda one: one.__name__
)
def test_a_command_without_phi_stays_in_clear(model):
    data = example(model)
    assert write_command(command(data), HERE, KEYS)[1] == data.to_json()


HEADERS = [
    {"id": OTHER},
    {"caller": "billing"},
    {"authorization_id": "auth_8"},
    {"accepted_at": NOW + timedelta(milliseconds=1)},
    {"redrive": 1},
    {"own_handoffs": True},
]


@pytest.mark.parametrize("changes", HEADERS, ids=lambda changes: next(iter(changes)))
def test_encrypted_data_is_of_no_use_in_another_record(changes):
    _, value = write_command(command(), HERE, KEYS)
    headers, _ = write_command(command(**changes), HERE, KEYS)
    found = read_command(headers, value, KEYS)
    assert isinstance(found, UndecryptableRecord)
    assert found.problem == "data/sealed: expected a text that was sealed for this purpose"


def test_the_purpose_is_frozen():
    """A change would make every command in Kafka undecryptable."""
    purposes = []

    class Recorder:
        def seal(self, purpose, content):
            purposes.append(purpose)
            return content.hex()

    write_command(command(redrive=2, own_handoffs=True), HERE, Recorder())
    write_command(command(caller='in","take'), HERE, Recorder())
    assert purposes == ["command:0b635670a6aaa95c8211ee38217bd2fc", "command:1981ee4b2919c89c88798ca9c1be95c7"]


@given(st.data())
def test_no_change_of_encrypted_data_is_accepted(data):
    headers, value = write_command(command(), HERE, KEYS)
    begin = value.index(b'"sealed":"') + 10
    at = data.draw(st.integers(begin, len(value) - 3))
    other = data.draw(st.sampled_from(b"AZaz09-_."))
    # The last characters of base64 texts may have unused bits, which say nothing: the content is the same.
    found = read_command(headers, value[:at] + bytes([other]) + value[at + 1 :], KEYS)
    assert isinstance(found, UndecryptableRecord) or found == command()


def test_a_missing_key_is_named_and_the_public_part_is_shown():
    headers, value = write_command(command(), HERE, KEYS)
    found = read_command(headers, value, new_keys())
    assert isinstance(found, UndecryptableRecord)
    assert KEYS.ids[0] in found.problem or found.problem.endswith("found none")
    assert (found.shown.id, found.shown.data.handoff_id) == (ID, "mhand_55")
    assert PHI not in repr(found)


def test_phi_in_clear_is_not_a_command():
    headers, _ = write_command(command(), HERE, KEYS)
    found = read_command(headers, CLOSE.to_json(), KEYS)
    assert isinstance(found, UnreadableRecord)
    assert found.problem.startswith("data/sealed: ")


def test_the_redrive_of_the_largest_command_can_be_opened():
    notes = "\N{OLD PERMIC LETTER AN}" * 4000
    largest = HandoffClose(
        handoff_id="m" * 128,
        result=Revoked(reason="\N{OLD PERMIC LETTER AN}" * 500, notes=notes),
        metadata={f"k{number:063}": "v" * 64 for number in range(16)},
    )
    original = Original(type=largest.TYPE, caller="c" * 128, accepted_at=NOW, data=json.loads(largest.to_json()))
    redrive = REDRIVE.model_copy(update={"command": original, "why": "\N{OLD PERMIC LETTER AN}" * 500})
    headers, value = write_command(command(redrive), HERE, KEYS)
    assert read_command(headers, value, KEYS) == command(redrive)
    assert len(value) < 40_000
