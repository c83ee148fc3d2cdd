"""The rules of the read model: the rows do not depend on the order in which topics and batches are read."""

import json
import random
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.rows import NOT_DUE, Rows
from consumers.projector.batch import batch_of
from consumers.projector.fold import fold
from consumers.projector.parsing import CommandLogRecord, EventRecord, SnapshotRecord, parse
from local.sample_records import SampleAuthorization
from schemas.authorization import AuthorizationRecord, LastHandoff
from schemas.commands import Discard, Original, Redrive
from schemas.enums import Agreement, ClosedBy, CommandType, DecisionReason, Effect, Outcome
from schemas.events import (
    CommandDeadLettered,
    CommandFinished,
    CommandWaiting,
    HandoffAccessChanged,
    HandoffClosed,
    HandoffOpened,
)
from schemas.records import RecordedCommand, publish
from schemas.timeline import describe

COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
AT = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
TIME = "2026-06-02T14:00:00Z"
TOPICS = ("commands", "events", "authorizations")


@dataclass(frozen=True)
class Record:
    offset: int
    headers: tuple
    value: bytes


def records_of_story(authorization_id, seed):
    """The records of a story in each topic, in the order of their offsets."""
    topics = {topic: [] for topic in TOPICS}
    for written in SampleAuthorization(authorization_id, seed).records():
        records = topics[written.topic]
        records.append(Record(len(records), written.headers, written.value))
    return topics


def as_values(rows):
    return {
        "commands": {key: asdict(row) for key, row in rows.commands.items()},
        "handoffs": {key: asdict(row) for key, row in rows.handoffs.items()},
        "authorizations": {key: asdict(row) for key, row in rows.authorizations.items()},
        "timeline": {(entry.at, entry.rank, entry.ordinal): entry for entry in rows.timeline},
        "minutes": {key: asdict(row) for key, row in rows.minutes.items()},
    }


def folded_once(topics):
    rows = Rows()
    for topic in TOPICS:
        fold(rows, [parse(topic, 0, record) for record in topics[topic]])
    return as_values(rows)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_every_interleaving_of_topics_and_batches_gives_the_same_rows(seed, cuts):
    chance = random.Random(cuts)
    topics = records_of_story("auth_1", seed)
    offsets = {(topic, 0): 0 for topic in TOPICS}
    rows = Rows()
    while any(offsets[topic, 0] < len(records) for topic, records in topics.items()):
        fetched = {}
        for topic, records in topics.items():
            at = offsets[topic, 0]
            # A late fetch may begin with records that are already written; the batch skips them.
            begin = chance.randint(max(0, at - 2), at)
            end = chance.randint(at, min(len(records), at + 4))
            fetched[topic, 0] = records[begin:end]
        batch = batch_of(fetched, offsets)
        batch.fold(rows)
        offsets |= {key: after for key, (_, after) in batch.moved.items()}
        for key, (before, after) in batch.moved.items():
            assert before < after, key
    assert as_values(rows) == folded_once(topics)


@given(st.integers(0, 10_000))
def test_no_row_contains_phi(seed):
    assert "PHI" not in str(folded_once(records_of_story("auth_1", seed)))


def event(sequence, data):
    return EventRecord(
        publish(data, authorization_id="auth_1", sequence=sequence, life=1, time=AT + timedelta(seconds=sequence))
    )


def command_fields(**fields):
    return {"command_id": COMMAND, "command": CommandType.HANDOFF_REQUEST, "caller": "intake", **fields}


def waiting(**fields):
    return CommandWaiting(**command_fields(reason="breaker", **fields))


def dead_lettered(**fields):
    return CommandDeadLettered(**command_fields(cause="outcome_unknown", **fields))


def finished(**fields):
    return CommandFinished(**command_fields(outcome=Outcome.APPLIED, effect=Effect.OURS, **fields))


def status_after(*items):
    rows = Rows()
    fold(rows, items)
    row = rows.commands[COMMAND]
    return row.status, row.redrive, row.reason


def test_status_moves_forward_by_sequence_only():
    assert status_after(event(1, waiting())) == ("waiting", 0, "breaker")
    assert status_after(event(2, dead_lettered()), event(1, waiting())) == ("dead_lettered", 0, "outcome_unknown")
    assert status_after(event(3, finished()), event(2, dead_lettered())) == ("finished", 0, None)
    again = (event(1, dead_lettered()), event(2, waiting(redrive=1)), event(3, finished(redrive=1)))
    assert status_after(*again) == ("finished", 1, None)


def test_a_retry_after_a_day_ends_in_a_new_life_of_its_authorization_whose_numbers_begin_again():
    expired = CommandFinished(**command_fields(outcome=Outcome.EXPIRED, effect=Effect.NONE, reason="expired"))
    late = replace(event(1, finished()).event, id="second-life", time=AT + timedelta(days=1, minutes=1))
    assert status_after(event(1, expired), event(2, expired), EventRecord(late)) == ("finished", 0, None)
    again = (event(1, expired), event(2, expired), event(1, finished()))
    assert status_after(*again) == ("finished", 0, "expired"), "a record that is read again changes nothing"


def test_only_a_later_finished_replaces_a_finished():
    rejected = CommandFinished(
        **command_fields(outcome=Outcome.REJECTED, effect=Effect.NONE, reason="too_many_commands")
    )
    assert status_after(event(1, rejected), event(2, waiting())) == ("finished", 0, "too_many_commands")
    assert status_after(event(1, rejected), event(2, waiting()), event(3, finished())) == ("finished", 0, None)


def test_a_rejected_redrive_does_not_change_its_command():
    rejected = CommandFinished(
        **command_fields(outcome=Outcome.REJECTED, effect=Effect.NONE, reason="not_dead_lettered", redrive=1)
    )
    assert status_after(event(1, finished()), event(2, rejected)) == ("finished", 0, None)
    rows = Rows()
    fold(rows, [event(1, rejected)])
    assert rows.commands == {}
    assert [entry.kind for entry in rows.timeline] == ["command.finished"]


def decision(offset, data):
    command = RecordedCommand(f"{offset}", "on-call", "auth_1", AT + timedelta(seconds=offset), data)
    return CommandLogRecord(command, 0, offset)


def test_a_decision_about_a_number_that_was_redriven_before_says_so():
    original = Original(type=CommandType.HANDOFF_REQUEST, caller="intake", accepted_at=AT, data={})
    who = {"command_id": COMMAND, "requested_by": "op", "reason": DecisionReason.OTHER}
    first = decision(1, Discard(redrive=0, **who))
    redriven = [decision(at, Redrive(redrive=1, command=original, **who)) for at in (2, 3)]
    of_before, late, right = (decision(4 + (number or 0), Discard(redrive=number, **who)) for number in (None, 0, 1))
    rows = Rows()
    fold(rows, [first, *redriven, of_before, late, right])
    found = [json.loads(entry.data).get("overtakenBy") for entry in rows.timeline]
    assert found == [None, None, 1, None, 1, None]
    says = describe(rows.timeline[4].kind, json.loads(rows.timeline[4].data))
    void = "Redrive 1 was requested before, so this decision ends nothing: number 1 counts."
    assert says == f"op requested a discard of number 0 through on-call: other. {void}"
    assert describe(rows.timeline[2].kind, json.loads(rows.timeline[2].data)).endswith(void)


def test_an_older_record_of_an_authorization_changes_nothing():
    new = AuthorizationRecord.model_validate(
        {**AuthorizationRecord.EXAMPLE, "lastHandoff": None, "dueAt": AT, "watchedSince": AT, "updatedAt": AT}
    )
    old = new.model_copy(update={"sequence": 3, "status": "processing"})
    rows = Rows()
    fold(rows, [SnapshotRecord("auth_1", new), SnapshotRecord("auth_1", old)])
    assert rows.authorizations["auth_1"].status == "waiting_on_payer"


def test_a_due_date_orders_the_work_lists_until_the_end():
    fields = {**AuthorizationRecord.EXAMPLE, "lastHandoff": None, "dueAt": AT, "watchedSince": AT, "updatedAt": AT}
    due = AuthorizationRecord.model_validate(fields)
    for record, expected in (
        (due, AT),
        (due.model_copy(update={"due_at": None}), NOT_DUE),
        (due.model_copy(update={"settled_at": AT}), NOT_DUE),
    ):
        rows = Rows()
        fold(rows, [SnapshotRecord("auth_1", record)])
        assert rows.authorizations["auth_1"].due_at == expected


def test_an_event_of_a_newer_version_adds_an_entry_without_data():
    records = records_of_story("auth_1", 1)["events"]
    headers = tuple(
        (header, b"collate-gateway.handoff.moved.v9" if header == "ce_type" else value)
        for header, value in records[0].headers
    )
    rows = Rows()
    fold(rows, [parse("events", 0, Record(0, headers, b'{"secret": "PHI"}'))])
    (entry,) = rows.timeline
    assert (entry.kind, entry.data, entry.ordinal) == ("collate-gateway.handoff.moved.v9", "{}", 1)


def test_an_unreadable_record_is_skipped_and_reported():
    batch = batch_of({("events", 0): [Record(7, (("ce_id", b"\xff"),), b"")]}, {("events", 0): 5})
    assert batch.moved == {("events", 0): (5, 8)}
    ((key, offset, problem),) = batch.unreadable
    assert (key, offset) == (("events", 0), 7)
    assert problem
    assert batch.items == []


def required_since(**changes):
    record = {"sequence": 3, "version": 4, "status": "requires_action", "nextAction": "complete_payer_interaction"}
    record |= {"receiptSeen": False, "decisionSeen": False, "watchedSince": TIME, "updatedAt": TIME} | changes
    rows = Rows()
    fold(rows, [SnapshotRecord("auth_1", AuthorizationRecord.from_caller(json.dumps(record)))])
    return rows.authorizations["auth_1"].action_required_at


def test_an_action_is_required_since_the_record_says():
    assert required_since(actionRequiredAt="2026-06-02T13:00:00Z") == AT - timedelta(hours=1)
    assert required_since() is None


def test_an_open_handoff_has_the_access_of_its_last_event():
    def event(sequence, data):
        return EventRecord(publish(data, authorization_id="auth_1", sequence=sequence, life=1, time=AT))

    rows = Rows()
    opened = HandoffOpened(handoff_id="mh_1", access_available=False, final_submit_capable=False)
    gained = HandoffAccessChanged(handoff_id="mh_1", state="active", access_available=True, final_submit_capable=True)
    fold(rows, [event(2, gained), event(1, opened)])
    row = rows.handoffs["auth_1", "mh_1"]
    assert (row.access_available, row.final_submit_capable) == (True, True)
    closed = HandoffClosed(handoff_id="mh_1", result="expired", by=ClosedBy.EXPIRY, closed_at=AT - timedelta(hours=1))
    fold(rows, [event(3, closed)])
    assert (row.access_available, row.collate_closed_at, row.closed_at) == (False, AT - timedelta(hours=1), AT)


def snapshot(sequence, agreement, closed_at=None):
    last = LastHandoff(id="mhand_1", result="completed_reported", agreement=agreement, closed_at=closed_at)
    record = AuthorizationRecord(
        sequence=sequence,
        version=sequence,
        status="requires_action",
        receipt_seen=False,
        decision_seen=False,
        last_handoff=last,
        watched_since=AT,
        updated_at=AT + timedelta(minutes=sequence),
    )
    return SnapshotRecord("auth_1", record)


def contradicted_at_after(*items):
    rows = Rows()
    fold(rows, items)
    return rows.authorizations["auth_1"].contradicted_at


def test_a_contradiction_counts_from_the_end_of_its_handoff_and_does_not_move():
    closed = AT - timedelta(hours=1)
    assert contradicted_at_after(snapshot(1, Agreement.CONTRADICTS, closed)) == closed
    unknown = [snapshot(1, Agreement.CONTRADICTS), snapshot(2, Agreement.CONTRADICTS)]
    assert contradicted_at_after(*unknown) == AT + timedelta(minutes=1)
    assert contradicted_at_after(*unknown, snapshot(3, Agreement.AGREES)) is None


def test_a_command_counts_once_in_the_minute_of_its_end_and_a_redrive_again():
    rows = Rows()
    fold(rows, [event(1, waiting()), event(2, finished()), event(2, finished()), event(61, finished(redrive=1))])
    assert {row.minute: row.finished for row in rows.minutes.values()} == {AT: 1, AT + timedelta(minutes=1): 1}
