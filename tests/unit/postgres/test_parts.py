"""Cursors, sentences, the public part of messages, and the schema's newest revision."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.cursor import CursorInvalid, read_cursor, write_cursor
from adapters.postgres.descriptions import sentence
from adapters.postgres.migrate import as_sql, newest
from adapters.postgres.schema_version import HEAD
from consumers.projector.fold import short
from schemas.attempts import Attempt
from schemas.commands import COMMANDS, Completed, HandoffClose, Redrive, Revoked, UnableToComplete
from schemas.enums import ReportedOutcome
from schemas.events import EVENTS
from schemas.public_fields import public_json

AT = datetime(2026, 6, 2, 14, 0, 0, 123_456, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-(2**62), 2**62), st.text("abcdefXYZ0123456789._~-"))
def test_a_cursor_says_where_a_page_ended(at, number, text):
    assert read_cursor(write_cursor(at, number, text), int, str) == (at, number, text)


@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_what_is_no_cursor_is_refused_and_nothing_else_happens(text):
    with pytest.raises(CursorInvalid):
        read_cursor(text, int, int)


@pytest.mark.parametrize("key", [(1 << 63, 0), (0, True), (0, None), (0.5, 1), (1,), (1, 2, 3)])
def test_a_cursor_of_other_values_is_refused(key):
    with pytest.raises(CursorInvalid):
        read_cursor(write_cursor(AT, *key), int, int)


@pytest.mark.parametrize("model", EVENTS.values(), ids=lambda model: model.__name__)
def test_every_event_has_a_sentence_of_its_own(model):
    said = sentence(short(model.TYPE), model.EXAMPLE)
    assert said != short(model.TYPE)
    assert said.endswith((".", "Z."))
    assert "None" not in said
    assert len(said) <= 500
    bare = sentence(short(model.TYPE), {})
    assert bare != short(model.TYPE)


def test_what_was_asked_and_attempted_has_a_sentence_too():
    asked = {"type": "collate-gateway.handoff.close.v1", "caller": "intake", "handoffId": "mhand_1"}
    result = {"type": "completed", "reportedOutcome": "submitted"}
    assert (
        sentence("command.accepted", asked | {"result": result})
        == "intake asked: handoff.close as completed (submitted), handoff mhand_1."
    )
    decided = {"requestedBy": "op-7", "reason": "checked_by_hand", "ticket": "OPS-1204"}
    assert (
        sentence("command.redrive_requested", decided | {"redrive": 2})
        == "op-7 asked to try it again (redrive 2): checked_by_hand, see OPS-1204."
    )
    assert sentence("command.discard_requested", decided) == "op-7 gave it up: checked_by_hand, see OPS-1204."
    assert (
        sentence("command.discard_requested", {"requestedBy": "op-7", "reason": "other"}) == "op-7 gave it up: other."
    )
    redriven = {"requestedBy": "op-7", "redrive": 2, "partition": 3, "offset": 128}
    assert (
        sentence("command.redrive_requested", redriven)
        == "op-7 asked to try it again (redrive 2); why stands in the command's record 3-128."
    )
    attempt = {"operation": "create", "write": 1, "result": "ambiguous", "code": "read_timeout", "ms": 10_000}
    assert (
        sentence("attempt", attempt)
        == "Called create (write 1): no clear answer, it may have been done (read_timeout), 10000 ms."
    )
    assert sentence("a.newer.kind", {}) == "a.newer.kind"


def close(result):
    return json.loads(public_json(HandoffClose(handoff_id="mhand_1", result=result)))


def test_of_a_close_only_words_are_stored():
    completed = Completed(
        reported_outcome=ReportedOutcome.SUBMITTED, observed_reference_number="REF-1", operator_notes="about Jane Roe"
    )
    told = {"type": "completed", "reportedOutcome": "submitted"}
    assert close(completed) == {"handoffId": "mhand_1", "result": told}
    unable = {"type": "unable_to_complete", "reason": "channel_outage"}
    assert close(UnableToComplete(reason="channel_outage", operator_notes="Jane"))["result"] == unable
    assert close(Revoked(reason="Jane Roe died", notes="Jane"))["result"] == {"type": "revoked"}


def test_of_a_redrive_neither_why_nor_the_command_s_data_nor_its_intent_is_stored():
    redrive = Redrive.from_caller(json.dumps(Redrive.EXAMPLE))
    stored = json.loads(public_json(redrive))
    assert stored.keys() == {"commandId", "redrive", "requestedBy", "reason", "ticket", "command"}
    assert stored["command"].keys() == {"type", "caller", "acceptedAt"}


@pytest.mark.parametrize("model", [*EVENTS.values(), *COMMANDS.values()], ids=lambda model: model.__name__)
def test_the_public_part_is_json_of_the_message(model):
    message = model.from_caller(json.dumps(model.EXAMPLE))
    stored = json.loads(public_json(message))
    assert stored.keys() <= json.loads(message.to_json()).keys()


def test_attempts_are_public_as_a_whole():
    attempt = Attempt(at=AT, operation="create", result="answered", status=201, ms=3, write=1)
    assert public_json(attempt) == attempt.to_json().decode()


def test_this_version_writes_the_newest_revision():
    assert newest() == HEAD


def test_the_sql_can_be_printed_for_a_person_to_run():
    printed = as_sql()
    for table in ("progress", "pulse", "commands", "handoffs", "authorizations", "timeline", "schema_version"):
        assert f"CREATE TABLE {table}" in printed
