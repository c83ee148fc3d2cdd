"""`gateway audit export` over a real Kafka: what callers and people did in a span, complete or with a warning."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition

from local.kafka.admin import admin_of
from schemas.enums import AssertedBy, CommandType, DecisionReason, Effect, Outcome, ReadContent
from schemas.events import (
    AuthorizationWatchEnded,
    CommandFinished,
    ContentRead,
    HandoffAccessGranted,
    VersionFloorLowered,
)
from schemas.operator_decision import OperatorDecision
from schemas.records import publish, write_event
from schemas.topics import partition_for
from tests.system.runtime.conftest import PARTITIONS

# Within the 30 days of the topic's retention: Kafka deletes older records half a minute after its start.
DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=5)
TODAY, DAY_BEFORE, DAY_AFTER = (f"{DAY + timedelta(days=days):%Y-%m-%d}" for days in (0, -1, 1))
COMMAND = "2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10"
GRANTED = HandoffAccessGranted(
    handoff_id="mhand_1", operator="=jo", asserted_by=AssertedBy.PERSON, caller="people:=jo", expires_at=DAY
)
READ = ContentRead(content=ReadContent.DEAD_LETTER_ORIGINAL, caller="desk", operator="op-7", of_command=COMMAND)
DECIDED = CommandFinished(
    command_id=COMMAND,
    command=CommandType.HANDOFF_CLOSE,
    caller="desk",
    outcome=Outcome.DISCARDED,
    effect=Effect.NONE,
    decision=OperatorDecision(
        requested_by="op-7",
        asserted_by=AssertedBy.CALLER,
        caller="on-call",
        reason=DecisionReason.OTHER,
        ticket="OPS-1",
    ),
)
WATCHED = AuthorizationWatchEnded(status="processing", watched_since=DAY, reason="max_age")


@pytest.fixture
async def events(kafka, prefix, gateway):
    """Six events of two authorizations: one each hour from 22:00 on, over midnight."""
    assert gateway("topics", "apply").returncode == 0
    for number, data in enumerate([GRANTED, READ, DECIDED, WATCHED, READ, GRANTED]):
        at = DAY + timedelta(hours=number - 2)
        event = publish(data, authorization_id=f"auth_{number % 2}", sequence=number, life=1, time=at)
        await produce(kafka, prefix, event, appended_at=at)


async def produce(kafka, prefix, event, *, appended_at):
    headers, value = write_event(event, "/test")
    key = event.authorization_id.encode()
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(
            f"{prefix}events",
            value,
            key=key,
            partition=partition_for(key, PARTITIONS),
            headers=list(headers),
            timestamp_ms=round(appended_at.timestamp() * 1000) + 50,
        )


def records(result):
    """The records of an export, without the two lines at its end."""
    return [json.loads(line) for line in result.stdout.splitlines()[:-2]]


def sequences(result):
    return sorted(record["sequence"] for record in records(result))


@pytest.mark.usefixtures("events")
def test_an_export_has_the_acts_of_its_span(gateway):
    everything = gateway("audit", "export")
    assert (everything.returncode, sequences(everything)) == (0, [0, 1, 2, 4, 5])
    assert "5 records until" in everything.stderr
    day = gateway("audit", "export", "--since", TODAY, "--until", f"{TODAY}T03:00:00Z")
    assert (day.returncode, sequences(day)) == (0, [2, 4])
    before = gateway("audit", "export", "--until", TODAY)
    assert (before.returncode, sequences(before)) == (0, [0, 1]), before.stderr
    one = gateway("audit", "export", "--authorization", "auth_1")
    assert (one.returncode, sequences(one)) == (0, [1, 5]), one.stderr
    nothing = gateway("audit", "export", "--since", DAY_AFTER)
    assert (nothing.returncode, records(nothing)) == (0, [])
    assert "Not final" in nothing.stderr


@pytest.mark.usefixtures("events")
def test_an_export_of_a_closed_day_has_the_same_bytes_and_every_change_is_found(gateway, tmp_path):
    day = ("audit", "export", "--since", DAY_BEFORE, "--until", DAY_AFTER)
    first, again = gateway(*day), gateway(*day)
    assert first.stdout == again.stdout
    assert '"final":true' in first.stdout
    file = tmp_path / "day.jsonl"
    file.write_text(first.stdout)
    same = gateway("audit", "verify", str(file))
    span = f"from {DAY_BEFORE}T00:00:00Z until {DAY_AFTER}T00:00:00Z, of every authorization"
    assert (same.returncode, same.stdout.splitlines()) == (
        0,
        [f"5 records {span}", "Unchanged, and compared with the events."],
    )
    of_the_export = ("--offline", "--since", DAY_BEFORE, "--until", DAY_AFTER)
    assert gateway("audit", "verify", str(file), *of_the_export).returncode == 0
    for other in (
        (*of_the_export, "--authorization", "auth_1"),
        (*of_the_export, "--until", TODAY),
        (*of_the_export, "--since", TODAY),
        ("--offline", "--until", DAY_AFTER),
    ):
        refused = gateway("audit", "verify", str(file), *other)
        assert (refused.returncode, refused.stdout.splitlines()[1:]) == (
            1,
            ["The file covers something else than the options say."],
        ), other
    file.write_text(first.stdout.replace("on-call", "on-cell"))
    for options, places in (
        ((), ["line 2 differs from its event: authorization auth_0, sequence 2"]),
        (["--offline"], []),
    ):
        changed = gateway("audit", "verify", str(file), *options)
        assert changed.returncode == 1
        assert changed.stdout.splitlines() == [
            f"5 records {span}",
            "The file was changed: its SHA-256 differs from the one in its last line.",
            *places,
        ]
    file.write_text("{}\n")
    assert gateway("audit", "verify", str(file)).returncode == 1


@pytest.mark.usefixtures("events")
def test_a_record_says_who_did_what(gateway):
    exported = gateway("audit", "export")
    assert exported.returncode == 0, exported.stderr
    by_number = {record["sequence"]: record for record in records(exported)}
    granted, read, decided = by_number[0], by_number[1], by_number[2]
    assert (granted["operator"], granted["caller"], granted["assertedBy"]) == ("=jo", "people:=jo", "person")
    assert (granted["event"], granted["handoffId"]) == ("collate-gateway.handoff.access_granted.v1", "mhand_1")
    assert (read["content"], read["commandId"], read["operator"]) == ("dead_letter_original", COMMAND, "op-7")
    assert (decided["caller"], decided["decidedBy"], decided["decidedThrough"]) == ("desk", "op-7", "on-call")
    assert (decided["outcome"], decided["ticket"], decided["authorizationId"]) == ("discarded", "OPS-1", "auth_0")


@pytest.mark.usefixtures("events")
def test_the_csv_has_the_same_records_and_no_formulas(gateway):
    text = gateway("audit", "export", "--format", "csv").stdout
    *rows, last = csv.DictReader(io.StringIO(text))
    assert sorted(int(row["sequence"]) for row in rows) == sequences(gateway("audit", "export"))
    before = "".join(text.splitlines(keepends=True)[:-1])
    assert (last["time"], last["event"]) == ("sha256", hashlib.sha256(before.encode()).hexdigest())
    (first,) = [row for row in rows if row["sequence"] == "0"]
    assert (first["operator"], first["caller"]) == ("'=jo", "people:=jo")


@pytest.mark.usefixtures("events")
async def test_a_span_that_retention_has_cut_is_reported(gateway, kafka, prefix, tmp_path):
    file, whole = tmp_path / "whole.jsonl", gateway("audit", "export", "--since", DAY_BEFORE, "--until", DAY_AFTER)
    await delete_records(kafka, prefix, b"auth_0", before_offset=1)
    cut = gateway("audit", "export", "--since", DAY_BEFORE)
    assert (cut.returncode, 0 in sequences(cut)) == (3, False)
    assert "may have lost events" in cut.stderr
    assert gateway("audit", "export", "--since", f"{TODAY}T01:30:00Z").returncode == 0
    file.write_text(whole.stdout)
    verified = gateway("audit", "verify", str(file))
    assert (verified.returncode, verified.stdout.splitlines()[1]) == (3, "Unchanged, and compared with the events.")
    of_all = tmp_path / "all.jsonl"
    of_all.write_text(gateway("audit", "export", "--until", DAY_AFTER).stdout)
    await delete_records(kafka, prefix, b"auth_0", before_offset=6)
    whole_partition = gateway("audit", "export", "--since", f"{TODAY}T01:30:00Z")
    assert (whole_partition.returncode, sequences(whole_partition)) == (0, []), "within the retention"
    long_ago = gateway("audit", "export", "--since", f"{DAY - timedelta(days=30):%Y-%m-%d}")
    assert (long_ago.returncode, '"final":false' in long_ago.stdout) == (3, True), "nothing shows what is gone"
    assert gateway("audit", "verify", str(of_all)).returncode == 3, "an export since the oldest event"


async def delete_records(kafka, prefix, key, before_offset):
    partition = TopicPartition(f"{prefix}events", partition_for(key, PARTITIONS))
    async with admin_of(kafka) as admin:
        await admin.delete_records({partition: RecordsToDelete(before_offset=before_offset)})


@pytest.mark.usefixtures("events")
async def test_a_decision_whose_record_is_from_before_the_span_is_in_it(gateway, kafka, prefix):
    lowered = VersionFloorLowered(caller="on-call", from_version=27, to_version=12, decision=DECIDED.decision)
    at = DAY + timedelta(hours=12)
    event = publish(lowered, authorization_id="auth_0", sequence=9, life=1, time=at)
    await produce(kafka, prefix, event, appended_at=at - timedelta(minutes=3))
    exported = gateway("audit", "export", "--since", f"{TODAY}T12:00:00Z", "--until", DAY_AFTER)
    (record,) = records(exported)
    assert (record["decidedBy"], record["fromVersion"], record["toVersion"]) == ("op-7", 27, 12)


def test_wrong_options_and_an_absent_kafka_have_exit_codes(gateway):
    assert gateway("audit", "export", "--since", "yesterday").returncode == 2
    assert gateway("audit", "export", "--since", TODAY, "--until", DAY_BEFORE).returncode == 2
    assert gateway("audit", "export", "--authorization", "a b").returncode == 2
    away = gateway("audit", "export", GATEWAY_KAFKA__BOOTSTRAP="127.0.0.1:1")
    assert (away.returncode, "Traceback" in away.stderr) == (69, False)
