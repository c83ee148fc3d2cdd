"""The task of a record; that of a redrive inherits the writes before it."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from consumers.applier.task import CommandTask, InvalidRecord, RecordTask, read
from consumers.applier.turns import passing_of, turn_of
from consumers.applier.write import request_body
from consumers.authorization.state import AmbiguousWrite
from consumers.engine import Passing, Record, Turn
from local.phi_keys import new_keys
from schemas.commands import (
    COMMANDS,
    HandoffClose,
    HandoffRequest,
    LowerVersionFloor,
    Original,
    RecordRead,
    Redrive,
    Revoked,
)
from schemas.enums import CommandType, DecisionReason
from schemas.records import RecordedCommand, write_command

ACCEPTED = datetime(2026, 5, 4, 12, tzinfo=UTC)
REDRIVEN = datetime(2026, 5, 6, 12, tzinfo=UTC)
WRITE = {"n": 3, "operation": "create", "if_match": 7, "version": 7, "key": "cg1-x", "first_sent_at": 1.5}
IN_FLIGHT = WRITE | {"body_digest": "00"}
ENDED = WRITE | {"ended": "version_conflict"}
KEYS = new_keys()
AMBIGUOUS = {"version": 5, "since": 1.0}


def task_of(intent, command_type=CommandType.HANDOFF_REQUEST, data=None):
    original = Original(type=command_type, caller="intake", accepted_at=ACCEPTED, data=data or {})
    redrive = Redrive(
        command_id="2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10",
        redrive=2,
        requested_by="op",
        reason=DecisionReason.OTHER,
        command=original,
        intent=intent,
    )
    record_id = "5d0f3c1e-0d55-5b4e-9a53-0f7c1a8e7b10"
    headers, value = write_command(RecordedCommand(record_id, "desk", "auth_1", REDRIVEN, redrive, 2), "/test", KEYS)
    return read(Record(0, 9, b"auth_1", value, headers, 0.0), b"k" * 32, KEYS)


def test_a_redrive_is_the_command_of_its_caller_with_a_life_of_its_own():
    task = task_of(None)
    assert isinstance(task, CommandTask)
    assert (task.caller, task.redrive, task.record_id) == ("intake", 2, "5d0f3c1e-0d55-5b4e-9a53-0f7c1a8e7b10")
    assert (task.accepted_at, task.alive_since) == (ACCEPTED.timestamp(), REDRIVEN.timestamp())
    assert task.inherited is None


def test_a_write_in_flight_is_inherited_as_the_intent():
    work = task_of(IN_FLIGHT).inherited
    assert (work.n, work.inherited_n, work.redrive, work.ended_intents, work.ambiguous) == (3, 3, 2, (), None)
    assert (work.intent.n, work.intent.key, work.intent.body_digest) == (3, "cg1-x", "00")


def test_an_ended_write_is_inherited_as_one_that_is_over():
    work = task_of(ENDED).inherited
    assert (work.n, work.inherited_n, work.intent) == (3, 3, None)
    (ended,) = work.ended_intents
    assert (ended.n, ended.ended) == (3, "version_conflict")


@pytest.mark.parametrize("write", [IN_FLIGHT, ENDED], ids=["in flight", "ended"])
def test_the_write_that_may_have_been_applied_is_inherited(write):
    assert task_of(write | {"maybe": AMBIGUOUS}).inherited.ambiguous == AmbiguousWrite(version=5, since=1.0)


@pytest.mark.parametrize(
    "wrong", [{"n": 3}, IN_FLIGHT | {"maybe": {"version": "x"}}, IN_FLIGHT | {"n": "many"}], ids=str
)
def test_an_unreadable_write_is_refused(wrong):
    refused = task_of(wrong)
    assert isinstance(refused, InvalidRecord)
    assert refused.problem == "data/intent: expected a write as its dead letter shows it"
    assert (refused.caller, refused.redrive, refused.accepted_at) == ("intake", 2, ACCEPTED.timestamp())


@pytest.mark.parametrize(
    ("command_type", "data"),
    [(CommandType.HANDOFF_REQUEST, {"expiresAt": 5}), (CommandType.HANDOFF_CLOSE, {"handoffId": "mh"})],
)
def test_a_command_that_cannot_be_read_cannot_be_redriven(command_type, data):
    refused = task_of(None, command_type, data)
    assert isinstance(refused, InvalidRecord)
    assert refused.problem.startswith("data/command")


def test_no_name_of_a_person_is_in_the_body_for_collate():
    close = HandoffClose(handoff_id="mhand_1", result=Revoked(reason="r"))
    for payload, names in (
        (HandoffRequest(accepted_review_snapshot_id="rev_1"), {"requested_by": "jo", "accepted_by": "jo"}),
        (close, {"reported_by": "jo"}),
    ):
        assert request_body(payload.model_copy(update=names)) == request_body(payload)


@pytest.mark.parametrize("model", [*COMMANDS.values()], ids=lambda model: model.__name__)
def test_what_a_task_says_of_itself_is_what_its_record_and_its_body_say(model):
    data = model.from_caller(json.dumps(model.EXAMPLE))
    command = RecordedCommand("5d0f3c1e-0d55-5b4e-9a53-0f7c1a8e7b10", "desk", "auth_1", ACCEPTED, data)
    headers, value = write_command(command, "/test", KEYS)
    record = Record(0, 9, b"auth_1", value, headers, 0.0)
    task = read(record, b"k" * 32, KEYS)
    own = type(task.payload) if isinstance(task, RecordTask) else None
    passing = {LowerVersionFloor: Passing.ENDS_WAIT, RecordRead: Passing.KEEPS_WAIT}.get(own, Passing.NO)
    assert passing_of(record) is passing
    if isinstance(task, CommandTask):
        with nullcontext() if task.writes else pytest.raises(ValueError, match="only a request and a close"):
            request_body(task.payload)


def test_a_later_event_of_a_request_knows_its_people():
    data = {"acceptedReviewSnapshotId": "rev_1", "requestedBy": "jo", "acceptedBy": "sam"}
    ref = task_of(None, data=data).ref
    assert (ref.caller, ref.requested_by, ref.accepted_by) == ("intake", "jo", "sam")
    watch = task_of(None, CommandType.AUTHORIZATION_WATCH).ref
    assert (watch.caller, watch.requested_by) == (None, None)


@pytest.mark.parametrize(
    ("caller", "command_type", "turn"),
    [
        (b"intake", CommandType.HANDOFF_REQUEST, Turn("intake", is_urgent=True)),
        (b"intake", CommandType.HANDOFF_CLOSE, Turn("intake", is_urgent=True)),
        (b"desk", CommandType.COMMAND_REDRIVE, Turn("desk", is_urgent=True)),
        (b"intake", CommandType.AUTHORIZATION_WATCH, Turn("intake", is_urgent=False)),
        (b"people:jo", CommandType.AUTHORIZATION_WATCH, Turn("people:jo", is_urgent=True)),
        (b"", CommandType.AUTHORIZATION_WATCH, Turn("unknown", is_urgent=False)),
    ],
)
def test_handoffs_decisions_and_people_are_urgent(caller, command_type, turn):
    headers = (("ce_type", command_type.value.encode()), ("ce_caller", caller))
    assert turn_of(Record(0, 9, b"auth_1", b"", headers, 0.0)) == turn


def test_a_record_that_is_no_command_has_a_turn():
    assert turn_of(Record(0, 9, b"auth_1", b"", (), 0.0)) == Turn("unknown", is_urgent=False)
