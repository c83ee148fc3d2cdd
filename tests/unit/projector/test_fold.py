"""The rules of the read model: what becomes of records does not depend on how they were read."""

import random
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.rows import Rows
from adapters.postgres.serializers import command_status
from consumers.projector.batch import batch_of
from consumers.projector.fold import fold
from consumers.projector.parsing import EventRecord, SnapshotRecord, read
from local.sample_records import SampleAuthorization
from schemas.authorization import AuthorizationRecord
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandDeadLettered, CommandFinished, CommandWaiting
from schemas.records import publish

COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
AT = datetime(2026, 6, 2, 14, 0, tzinfo=UTC)
TOPICS = ("commands", "events", "authorizations")


@dataclass(frozen=True)
class Record:
    offset: int
    headers: tuple
    value: bytes


def told(authorization_id, seed):
    """What a story left in each topic, by offset."""
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
        "timeline": {(one.at, one.rank, one.ordinal): one for one in rows.timeline},
    }


def in_one_go(topics):
    rows = Rows()
    for topic in TOPICS:
        fold(rows, [read(topic, 0, record) for record in topics[topic]])
    return as_values(rows)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_any_interleaving_of_topics_and_any_cut_into_batches_makes_the_same_rows(seed, cuts):
    chance = random.Random(cuts)
    topics = told("auth_1", seed)
    offsets = {(topic, 0): 0 for topic in TOPICS}
    rows = Rows()
    while any(offsets[topic, 0] < len(records) for topic, records in topics.items()):
        fetched = {}
        for topic, records in topics.items():
            at = offsets[topic, 0]
            # What was fetched late may begin before what has been written: those are passed over.
            begin = chance.randint(max(0, at - 2), at)
            end = chance.randint(at, min(len(records), at + 4))
            fetched[topic, 0] = records[begin:end]
        batch = batch_of(fetched, offsets)
        batch.fold(rows)
        offsets |= {place: after for place, (_, after) in batch.moved.items()}
        for place, (before, after) in batch.moved.items():
            assert before < after, place
    assert as_values(rows) == in_one_go(topics)


@given(st.integers(0, 10_000))
def test_nothing_that_is_phi_gets_into_a_row(seed):
    assert "PHI" not in str(in_one_go(told("auth_1", seed)))


def happened(sequence, data):
    return EventRecord(
        publish(data, authorization_id="auth_1", sequence=sequence, time=AT + timedelta(seconds=sequence))
    )


def about(**facts):
    return {"command_id": COMMAND, "command": CommandType.HANDOFF_REQUEST, "caller": "intake", **facts}


def waiting(**facts):
    return CommandWaiting(**about(reason="breaker", **facts))


def dead(**facts):
    return CommandDeadLettered(**about(cause="outcome_unknown", **facts))


def finished(**facts):
    return CommandFinished(**about(outcome=Outcome.APPLIED, effect=Effect.OURS, **facts))


def status_after(*items):
    rows = Rows()
    fold(rows, items)
    row = rows.commands[COMMAND]
    return row.status, row.redrive, row.reason


def test_status_moves_forward_by_sequence_only():
    assert status_after(happened(1, waiting())) == ("waiting", 0, "breaker")
    assert status_after(happened(2, dead()), happened(1, waiting())) == ("dead_lettered", 0, "outcome_unknown")
    assert status_after(happened(3, finished()), happened(2, dead())) == ("finished", 0, None)
    again = (happened(1, dead()), happened(2, waiting(redrive=1)), happened(3, finished(redrive=1)))
    assert status_after(*again) == ("finished", 1, None)


def test_finished_gives_way_to_nothing_but_a_later_finished():
    rejected = CommandFinished(**about(outcome=Outcome.REJECTED, effect=Effect.NONE, reason="too_many_commands"))
    assert status_after(happened(1, rejected), happened(2, waiting())) == ("finished", 0, "too_many_commands")
    assert status_after(happened(1, rejected), happened(2, waiting()), happened(3, finished())) == ("finished", 0, None)


def test_a_refused_redrive_leaves_its_command_as_it_was():
    refused = CommandFinished(
        **about(outcome=Outcome.REJECTED, effect=Effect.NONE, reason="not_dead_lettered", redrive=1)
    )
    assert status_after(happened(1, finished()), happened(2, refused)) == ("finished", 0, None)
    rows = Rows()
    fold(rows, [happened(1, refused)])
    assert rows.commands == {}
    assert [entry.kind for entry in rows.timeline] == ["command.finished"]


def test_a_command_that_is_being_redriven_is_accepted_again():
    rows = Rows()
    fold(rows, [happened(1, dead())])
    row = rows.commands[COMMAND]
    assert command_status(asdict(row)).waiting.reason == "outcome_unknown"
    row.asked_redrive = 1
    shown = command_status(asdict(row))
    assert (shown.status, shown.redrive, shown.waiting) == ("accepted", 1, None)


def test_an_older_record_of_an_authorization_changes_nothing():
    new = AuthorizationRecord.model_validate(
        {**AuthorizationRecord.EXAMPLE, "lastHandoff": None, "watchedSince": AT, "updatedAt": AT}
    )
    old = new.model_copy(update={"sequence": 3, "status": "processing"})
    rows = Rows()
    fold(rows, [SnapshotRecord("auth_1", new), SnapshotRecord("auth_1", old)])
    assert rows.authorizations["auth_1"].status == "waiting_on_payer"


def test_an_event_of_a_newer_version_happened_and_that_is_all_that_is_said():
    records = told("auth_1", 1)["events"]
    headers = tuple(
        (header, b"collate-gateway.handoff.moved.v9" if header == "ce_type" else value)
        for header, value in records[0].headers
    )
    rows = Rows()
    fold(rows, [read("events", 0, Record(0, headers, b'{"secret": "PHI"}'))])
    (entry,) = rows.timeline
    assert (entry.kind, entry.data, entry.ordinal) == ("collate-gateway.handoff.moved.v9", "{}", 1)


def test_what_can_t_be_read_is_passed_over_and_told():
    batch = batch_of({("events", 0): [Record(7, (("ce_id", b"\xff"),), b"")]}, {("events", 0): 5})
    assert batch.moved == {("events", 0): (5, 8)}
    ((place, offset, problem),) = batch.unreadable
    assert (place, offset) == (("events", 0), 7)
    assert problem
    assert batch.items == []
