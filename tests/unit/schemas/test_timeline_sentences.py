"""The sentence of each entry of a timeline. `timeline_sentences.json` has rows of kind, stored data and sentence."""

import json
from pathlib import Path

import pytest

from schemas.commands import COMMANDS, ShownCommand
from schemas.enums import short_type
from schemas.events import EVENTS, CommandDeadLettered
from schemas.timeline import describe

ROWS = json.loads(Path(__file__).with_name("timeline_sentences.json").read_text())


@pytest.mark.parametrize(("kind", "stored", "sentence"), ROWS)
def test_an_entry_has_its_sentence(kind, stored, sentence):
    assert describe(kind, stored) == sentence


def test_every_event_and_every_command_that_a_timeline_shows_has_a_row():
    kinds = {kind for kind, _, _ in ROWS}
    assert {short_type(type_) for type_ in EVENTS} | {"attempt"} <= kinds
    shown = {type_ for type_, model in COMMANDS.items() if issubclass(model, ShownCommand)}
    assert {stored["type"] for _, stored, _ in ROWS if "type" in stored} == shown


def test_a_kind_or_data_that_this_version_cannot_read_is_shown_by_its_kind():
    assert describe("a.newer.kind", {}) == "a.newer.kind"
    assert describe("handoff.opened", {"accessAvailable": "perhaps"}) == "handoff.opened"
    assert describe("command.accepted", {"type": "collate-gateway.a.newer.v1"}) == "command.accepted"


def test_a_sentence_is_bounded_and_has_no_double_spaces():
    event = CommandDeadLettered.from_record(
        json.dumps(CommandDeadLettered.EXAMPLE | {"advice": "a" * 250 + "  " + "b" * 248})
    )
    assert len(event.sentence()) == 500
    assert "  " not in event.sentence()
