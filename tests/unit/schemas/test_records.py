import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.phi_keys import new_keys
from schemas.authorization import AuthorizationRecord
from schemas.cloudevents import sequence_text
from schemas.commands import COMMANDS, AuthorizationWatch, HandoffRequest
from schemas.dead_letter import DeadLetter, OriginalRecord
from schemas.enums import PREFIX
from schemas.events import EVENTS
from schemas.identity import event_id
from schemas.published import PUBLISHED
from schemas.records import (
    RecordedCommand,
    UnreadableRecord,
    publish,
    read_authorization,
    read_command,
    read_dead_letter,
    read_event,
    schema_uri,
    source,
    write_authorization,
    write_command,
    write_dead_letter,
    write_event,
)

NOW = datetime(2026, 6, 2, 14, 6, 1, 250_000, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ID = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
OTHER = "7d9f3ab0-35a4-5f4e-8c4b-64f2a0f1c9aa"
HERE = source("local")
KEYS = new_keys()


def example(model):
    return model.from_caller(json.dumps(model.EXAMPLE))


@pytest.mark.parametrize("model", COMMANDS.values(), ids=lambda model: model.__name__)
@pytest.mark.parametrize("redrive", [0, 3])
def test_a_command_is_read_as_written(model, redrive):
    command = RecordedCommand(ID, "intake", "auth_7Q2M", NOW, example(model), redrive, TRACE)
    assert read_command(*write_command(command, HERE, KEYS), KEYS) == command


@pytest.mark.parametrize("model", EVENTS.values(), ids=lambda model: model.__name__)
@pytest.mark.parametrize("cause", [None, ID])
@pytest.mark.parametrize("first", [None, OTHER])
def test_an_event_is_read_as_written(model, cause, first):
    event = publish(
        example(model),
        authorization_id="auth_7Q2M",
        life=1,
        sequence=4,
        time=NOW,
        causation_id=cause,
        correlation_id=first,
        traceparent=TRACE,
    )
    assert event.id == event_id("auth_7Q2M", 1, 4)
    assert read_event(*write_event(event, HERE)) == event


# The bytes on the wire of an event and of a state: a change of them is a change for every subscriber.
EVENT_HEADERS = (
    ("ce_id", b"38b75774-db98-5bd3-b5c3-81db98f13076"),
    ("ce_source", b"/collate-gateway/local/authorizations/auth_7Q2M"),
    ("ce_specversion", b"1.0"),
    ("ce_type", b"collate-gateway.handoff.claimed.v1"),
    ("ce_subject", b"auth_7Q2M"),
    ("ce_time", b"2026-06-02T14:06:01.250000Z"),
    ("ce_dataschema", b"urn:collate-gateway:handoff:claimed:v1"),
    ("ce_sequence", b"00000000000000000010"),
    ("ce_causationid", ID.encode()),
    ("ce_correlationid", OTHER.encode()),
    ("content-type", b"application/json"),
    ("traceparent", TRACE.encode()),
)
STATE_HEADERS = (
    ("ce_id", b"35deeef1-fbd9-5702-a67d-1cc5ddca513b"),
    ("ce_source", b"/collate-gateway/local/authorizations/auth_7Q2M"),
    ("ce_specversion", b"1.0"),
    ("ce_type", b"collate-gateway.authorization.v1"),
    ("ce_subject", b"auth_7Q2M"),
    ("ce_time", b"2026-06-02T14:40:00Z"),
    ("ce_dataschema", b"urn:collate-gateway:authorization:v1"),
    ("ce_sequence", b"00000000000000000009"),
    ("content-type", b"application/json"),
)
LIFE = 1_780_409_161_250


def written_event(sequence):
    data = example(EVENTS["collate-gateway.handoff.claimed.v1"])
    return publish(
        data,
        authorization_id="auth_7Q2M",
        sequence=sequence,
        time=NOW,
        life=LIFE,
        causation_id=ID,
        correlation_id=OTHER,
        traceparent=TRACE,
    )


def test_the_headers_of_events_and_states_are_golden():
    assert write_event(written_event(10), HERE)[0] == EVENT_HEADERS
    record = example(AuthorizationRecord)
    assert write_authorization("auth_7Q2M", record, HERE, life=LIFE)[0] == STATE_HEADERS


def test_commands_and_dead_letters_have_no_sequence_so_their_source_is_the_installation():
    command = RecordedCommand(ID, "intake", "auth_7Q2M", NOW, HandoffRequest())
    for headers, _ in (write_command(command, HERE, KEYS), write_dead_letter(example(DeadLetter), HERE)):
        assert dict(headers)["ce_source"] == HERE.encode()


def test_the_limit_of_a_caller_to_its_own_handoffs_is_on_the_record():
    command = RecordedCommand(ID, "intake", "auth_7Q2M", NOW, AuthorizationWatch(), own_handoffs=True)
    headers, value = write_command(command, HERE, KEYS)
    assert ("ce_handoffs", b"own") in headers
    assert read_command(headers, value, KEYS) == command
    assert "ce_handoffs" not in dict(write_command(replace(command, own_handoffs=False), HERE, KEYS)[0])
    planted = tuple((name, b"planted" if name == "ce_handoffs" else raw) for name, raw in headers)
    assert read_command(planted, value, KEYS).problem == "handoffs: expected own, or no such attribute"


def test_the_source_of_an_odd_key_is_a_uri_reference():
    event = replace(written_event(10), authorization_id="auth 7/Ü")
    assert dict(write_event(event, HERE)[0])["ce_source"] == f"{HERE}/authorizations/auth%207%2F%C3%9C".encode()


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
def test_the_texts_of_sequences_have_the_order_of_their_numbers(one, other):
    assert (sequence_text(one) < sequence_text(other)) == (one < other)
    assert len(sequence_text(one)) == 20


def with_sequence(raw):
    headers, value = write_event(written_event(10), HERE)
    return read_event(tuple((name, raw if name == "ce_sequence" else was) for name, was in headers), value)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"planted",
        b"10",
        b"-0000000000000000001",
        b"09999999999999999999",
        b"000000000000000000010",
        "\u0662".encode() * 20,
    ],
)
def test_another_sequence_makes_an_event_unreadable(raw):
    read = with_sequence(raw)
    assert isinstance(read, UnreadableRecord)
    assert read.problem == "sequence: expected a number"


@pytest.mark.parametrize("model", [*EVENTS.values(), AuthorizationRecord, DeadLetter], ids=lambda model: model.__name__)
def test_dataschema_is_the_id_of_the_published_schema(model):
    published = json.loads(next(PUBLISHED.glob(f"*/{model.TYPE.removeprefix(PREFIX)}.json")).read_text())
    assert published["$id"] == schema_uri(model.TYPE)


@pytest.mark.parametrize("caller", ["", "x" * 129])
def test_a_command_of_a_caller_without_a_valid_name_is_unreadable(caller):
    command = RecordedCommand(
        id=ID, caller=caller, authorization_id="auth_7Q2M", accepted_at=NOW, data=example(AuthorizationWatch)
    )
    read = read_command(*write_command(command, HERE, KEYS), KEYS)
    assert isinstance(read, UnreadableRecord)
    assert read.problem == "caller: expected the name of a caller"


def test_an_authorization_is_read_as_written():
    record = example(AuthorizationRecord)
    assert read_authorization(*write_authorization("auth_7Q2M", record, HERE, life=LIFE)) == ("auth_7Q2M", record)


def test_a_dead_letter_is_read_as_written():
    dead_letter = example(DeadLetter)
    assert read_dead_letter(*write_dead_letter(dead_letter, HERE)) == dead_letter


HEADERS = st.lists(st.tuples(st.text(max_size=10), st.binary(max_size=10)), max_size=4).map(tuple)


@given(HEADERS, st.binary(max_size=100), st.text(max_size=20))
def test_a_dead_letter_keeps_the_bytes_of_a_broken_record(headers, value, key):
    dead_letter = DeadLetter(
        authorization_id=key,
        dead_at=NOW,
        cause="unreadable",
        intents=[],
        record=OriginalRecord.of(3, 17, headers, value),
    )
    read = read_dead_letter(*write_dead_letter(dead_letter, HERE))
    assert read == dead_letter
    assert read.record.bytes() == (headers, value)


COMMAND = write_command(RecordedCommand(ID, "intake", "auth_7Q2M", NOW, HandoffRequest()), HERE, KEYS)


def without(name):
    return tuple(header for header in COMMAND[0] if header[0] != name)


@pytest.mark.parametrize(
    ("headers", "value", "problem"),
    [
        ((), b"{}", "specversion: expected 1.0 (it is missing)"),
        (COMMAND[0], None, "data: expected JSON in UTF-8 (the error is at line 1 column 0)"),
        (COMMAND[0], b"[]", "data: expected an object"),
        (
            COMMAND[0],
            b'{"acceptedReviewSnapshotId":"planted planted"}',
            "data/acceptedReviewSnapshotId: expected 1 to 128",
        ),
        (without("ce_caller"), b"{}", "envelope: expected caller, subject and time"),
        (without("ce_subject"), b"{}", "envelope: expected caller, subject and time"),
        (without("ce_time"), b"{}", "envelope: expected caller, subject and time"),
        ((*without("ce_type"), ("ce_type", b"planted.v1")), b"{}", "type: expected a command that this version knows"),
        ((*COMMAND[0], ("ce_redrive", b"planted")), b"{}", "redrive: expected a number"),
        ((*COMMAND[0], ("ce_redrive", "\u0662".encode())), b"{}", "redrive: expected a number"),
    ],
)
def test_an_unreadable_command_has_a_reason_without_quoting_the_record(headers, value, problem):
    read = read_command(headers, value, KEYS)
    assert isinstance(read, UnreadableRecord)
    assert read.problem.startswith(problem)
    assert "planted" not in read.problem


def test_an_event_is_not_read_as_a_command_nor_a_command_as_an_event():
    assert isinstance(read_event(*COMMAND), UnreadableRecord)
    event = publish(
        example(EVENTS["collate-gateway.handoff.opened.v1"]), authorization_id="a", sequence=1, life=1, time=NOW
    )
    assert isinstance(read_command(*write_event(event, HERE), KEYS), UnreadableRecord)
    assert isinstance(read_authorization(*COMMAND), UnreadableRecord)
    assert isinstance(read_dead_letter(*COMMAND), UnreadableRecord)


def test_an_event_of_a_newer_version_is_unreadable_not_an_error():
    headers, value = write_event(
        publish(
            example(EVENTS["collate-gateway.handoff.opened.v1"]), authorization_id="a", sequence=1, life=1, time=NOW
        ),
        HERE,
    )
    newer = tuple((name, b"collate-gateway.handoff.parked.v1" if name == "ce_type" else raw) for name, raw in headers)
    read = read_event(newer, value)
    assert isinstance(read, UnreadableRecord)
    assert read.envelope.extensions == {"sequence": "00000000000000000001"}


def test_an_authorization_of_a_newer_version_keeps_its_envelope():
    """A rebuild must see that the record is the gateway's own."""
    headers, _ = write_authorization("auth_7Q2M", example(AuthorizationRecord), HERE, life=LIFE)
    newer = tuple((name, b"collate-gateway.authorization.v2" if name == "ce_type" else raw) for name, raw in headers)
    for read in (read_authorization(newer, b"{}"), read_authorization(headers, b"{}")):
        assert isinstance(read, UnreadableRecord)
        assert read.envelope.source.startswith(HERE)
