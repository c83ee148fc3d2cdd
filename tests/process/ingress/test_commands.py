import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from consumers.applier import outcome
from consumers.applier.outcome import Applied
from consumers.applier.task import read
from consumers.engine import Record
from gateway.ingress.commands import command_log
from gateway.ingress.commands.idempotency import Replays
from local.processes.patience import within
from schemas.api.messages import CommandAccepted, CommandOutcome
from schemas.cloudevents import Envelope, to_http
from schemas.cloudevents.attributes import attribute_pairs
from schemas.commands import AuthorizationWatch, HandoffRequest
from schemas.enums import CommandType, Effect, Outcome
from schemas.events import CommandFinished
from schemas.identity import command_id_from_cloudevent, command_id_from_key
from schemas.records import publish
from schemas.times import format_time
from schemas.topics import partition_for
from tests.process.phi_keys import PHI_KEYS

REQUEST = "/v1/authorizations/auth_1/handoffs"
CLOSE = "/v1/authorizations/auth_1/handoffs/mhand_1/close"
WATCH = "/v1/authorizations/auth_1/watch"
SUBMITTED = {"result": {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": "said by phone"}}
OTHER = {"result": SUBMITTED["result"] | {"operatorNotes": "said by mail"}}


async def test_an_accepted_command_is_in_the_topic_as_the_worker_reads_it(ingress, kafka):
    reply = await ingress.post(REQUEST, {"requestedBy": "op-7", "metadata": {"case": "42"}})
    accepted = CommandAccepted.from_caller(reply.body)
    (command,) = kafka.read()
    assert reply.status == 202
    assert command.id == accepted.command_id == command_id_from_key("desk", "auth_1", "k-1")
    assert command.accepted_at == accepted.accepted_at
    assert (command.caller, command.authorization_id) == ("desk", "auth_1")
    assert command.data == HandoffRequest(requested_by="op-7", metadata={"case": "42"})
    partition, key, _, _ = kafka.commands[0]
    assert (partition, key) == (partition_for(b"auth_1", 12), b"auth_1")


async def test_a_repeated_close_is_recognised_although_each_record_is_encrypted_anew(ingress, kafka):
    first, again = [await ingress.post(CLOSE, SUBMITTED, **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert (again.status, again.json) == (first.status, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    assert (await ingress.post(CLOSE, OTHER, **{"Idempotency-Key": "k"})).status == 422
    ((_, _, _, value),) = kafka.commands
    assert b"said by" not in value


@pytest.mark.parametrize("body", [b"", {}, {"metadata": {"case": "42"}}])
async def test_a_watch_needs_no_body(ingress, kafka, body):
    assert (await ingress.post(WATCH, body)).status == 202
    assert isinstance(kafka.read()[0].data, AuthorizationWatch)


@pytest.mark.parametrize("path", [REQUEST, WATCH])
@pytest.mark.parametrize(("days", "status"), [(-400, 202), (365, 202), (367, 422)])
async def test_a_due_date_may_have_passed_but_not_be_more_than_a_year_ahead(ingress, kafka, path, days, status):
    due_at = datetime.now(UTC) + timedelta(days=days)
    reply = await ingress.post(path, {"dueAt": due_at.isoformat()})
    assert reply.status == status
    assert [command.data.due_at for command in kafka.read()] == [due_at] * (status == 202)
    if status == 422:
        assert reply.json["errors"] == [{"pointer": "/dueAt", "detail": "expected a time at most 366 days ahead"}]


async def test_a_due_date_of_a_cloudevent_has_its_place_in_the_event(ingress):
    due_at = format_time(datetime.now(UTC) + timedelta(days=367))
    headers, body = to_http(event(CommandType.AUTHORIZATION_WATCH, {"dueAt": due_at}))
    reply = await ingress.call("POST", "/v1/commands", body, dict(headers))
    assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, "/data/dueAt")


@pytest.mark.parametrize("mode", ["request", "event", "batch"])
async def test_a_command_has_one_time(ingress, kafka, monkeypatch, mode):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            times.append(datetime(2026, 12, 1, 12, 0, len(times), tzinfo=tz))
            return times[-1]

    times = []
    monkeypatch.setattr(command_log, "datetime", Clock)
    due_at = "2027-12-02T12:00:00Z"  # the last due date that the first second allows
    headers, body = to_http(event(CommandType.AUTHORIZATION_WATCH, {"dueAt": due_at}))
    if mode == "request":
        reply = await ingress.post(WATCH, {"dueAt": due_at})
    elif mode == "event":
        reply = await ingress.call("POST", "/v1/commands", body, dict(headers))
    else:
        batch = {"content-type": "application/cloudevents-batch+json"}
        reply = await ingress.call("POST", "/v1/commands", b"[%s]" % body, batch)
    assert reply.status in {202, 207}
    assert times == [command.accepted_at for command in kafka.read()]


async def test_no_default_is_added_to_a_body(ingress, kafka):
    await ingress.post(REQUEST)
    assert kafka.commands[0][3] == b"{}"


async def test_a_command_has_the_trace_of_its_request(ingress, kafka):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await ingress.post(REQUEST, traceparent=trace)
    await ingress.post(REQUEST, key="k-2", traceparent="00-nonsense-01")
    assert [command.traceparent for command in kafka.read()] == [trace, None]


async def test_a_repeated_request_is_not_appended_again(ingress, kafka):
    first = await ingress.post(REQUEST, {"metadata": {"b": "2", "a": "1"}})
    again = await ingress.post(REQUEST, {"metadata": {"a": "1", "b": "2"}}, key='"k-1"')
    assert again.json == first.json
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(kafka.commands) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [(REQUEST, {"metadata": {"case": "2"}}), (WATCH, {"metadata": {"case": "1"}}), (CLOSE, SUBMITTED)],
    ids=["another body", "another path", "both"],
)
async def test_another_command_with_a_used_key_is_rejected(ingress, kafka, path, body):
    await ingress.post(REQUEST, {"metadata": {"case": "1"}})
    reply = await ingress.post(path, body)
    assert (reply.status, reply.json["type"]) == (422, "urn:collate-gateway:problem:idempotency-key-reused")
    assert len(kafka.commands) == 1


async def test_one_key_for_two_authorizations_is_two_commands(ingress, kafka):
    await ingress.post(REQUEST)
    await ingress.post(REQUEST.replace("auth_1", "auth_2"))
    assert len({command.id for command in kafka.read()}) == 2


def event(command_type=CommandType.HANDOFF_CLOSE, data=None, **changes):
    fields = {"id": "e-1", "source": "/desk", "type": command_type, "subject": "auth_1"} | changes
    data = {"handoffId": "mhand_1", **SUBMITTED} if data is None else data
    return Envelope(**fields, data=json.dumps(data).encode())


def binary(envelope):
    headers = [(f"ce-{name}", quote(value, safe="/:")) for name, value in attribute_pairs(envelope)]
    return [*headers, ("content-type", envelope.datacontenttype)], envelope.data


MODES = {"binary": binary, "structured": to_http}


@pytest.mark.parametrize("mode", MODES)
async def test_a_cloudevent_is_a_command_in_both_modes(ingress, kafka, mode):
    headers, body = MODES[mode](event())
    reply = await ingress.call("POST", "/v1/commands", body, dict(headers))
    (command,) = kafka.read()
    assert reply.status == 202
    assert command.id == command_id_from_cloudevent("desk", "auth_1", "/desk", "e-1")
    assert command.data.handoff_id == "mhand_1"


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"type": "collate-gateway.handoff.record_access.v1"}, 422, "/type"),
        ({"type": "com.example.other"}, 422, "/type"),
        ({"subject": None}, 422, "/subject"),
        ({"dataschema": ""}, 422, "/dataschema"),
        ({"subject": "not an id"}, 422, "/subject"),
        ({"data": {"handoffId": "mhand_1"}}, 422, "/data/result"),
        ({"data": {"handoffId": "m h", **SUBMITTED}}, 422, "/data/handoffId"),
    ],
)
async def test_a_cloudevent_that_is_no_command_is_rejected_with_a_pointer(ingress, kafka, change, status, where):
    headers, body = to_http(event(**change))
    reply = await ingress.call("POST", "/v1/commands", body, dict(headers))
    assert (reply.status, [fault["pointer"] for fault in reply.json["errors"]]) == (status, [where])
    assert kafka.commands == []


STRUCTURED = {"Content-Type": "application/cloudevents+json"}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ('"data": {"metadata": {"case": "\\ud800"}}', 422),
        ('"data": {"metadata": {"case": 1e999}}', 422),
        ('"data": {"metadata": {"case": "1", "case": "2"}}', 400),
        ('"data_base64": "eyJtZXRhZGF0YSI6e30sIm1ldGFkYXRhIjp7fX0="', 400),  # {"metadata":{},"metadata":{}}
        ('"data_base64": "eyJ"', 422),
        ('"data_base64": "e30="', 202),
        ('"data": {"metadata": {"case": "Infinity"}}', 202),
    ],
)
async def test_the_data_of_a_structured_cloudevent_is_strict_json(ingress, kafka, data, status):
    _, body = to_http(event(CommandType.AUTHORIZATION_WATCH))
    body = body[: body.index(b'"data"')] + data.encode() + b"}"
    reply = await ingress.call("POST", "/v1/commands", body, STRUCTURED)
    assert reply.status == status
    assert len(kafka.commands) == (status == 202)


@pytest.mark.parametrize("attribute", ["id", "source", "type", "subject", "specversion", "time"])
@pytest.mark.parametrize("value", [False, 7, 1.5, [], {}], ids=str)
async def test_an_attribute_of_a_cloudevent_must_be_a_string(ingress, kafka, attribute, value):
    _, body = to_http(event())
    document = json.loads(body) | {attribute: value}
    reply = await ingress.call("POST", "/v1/commands", document, STRUCTURED)
    assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, f"/{attribute}")
    assert kafka.commands == []


async def test_a_binary_cloudevent_without_headers_gets_their_names(ingress, kafka):
    reply = await ingress.call("POST", "/v1/commands", SUBMITTED)
    assert (reply.status, reply.json["errors"][0]["header"]) == (400, "ce-specversion")
    assert kafka.commands == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml"])
async def test_a_cloudevent_of_another_media_type_is_rejected(ingress, kafka, content_type):
    headers, body = binary(event())
    reply = await ingress.call("POST", "/v1/commands", body, dict(headers) | {"content-type": content_type})
    assert reply.status == 415
    assert kafka.commands == []


CHARSETS = [
    ("charset=latin-1", 415),
    ('Charset = "UTF-16"', 415),
    ("x=y; charset=utf-8; charset=utf-16", 415),
    ("charset=utf-8", 202),
    ('charset="UTF-8"', 202),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("parameter", "status"), CHARSETS)
async def test_a_cloudevent_must_be_in_utf_8(ingress, kafka, mode, parameter, status):
    headers, body = MODES[mode](event())
    headers = dict(headers)
    headers["content-type"] += f"; {parameter}"
    assert (await ingress.call("POST", "/v1/commands", body, headers)).status == status
    assert len(kafka.commands) == (status == 202)


@pytest.mark.parametrize(("parameter", "status"), CHARSETS)
async def test_the_data_of_a_cloudevent_must_be_in_utf_8(ingress, parameter, status):
    headers, body = to_http(event(datacontenttype=f"application/json; {parameter}"))
    assert (await ingress.call("POST", "/v1/commands", body, dict(headers))).status == status


def finished(command_id, **fields):
    return publish(
        CommandFinished(
            command_id=command_id,
            command=CommandType.HANDOFF_REQUEST,
            caller="desk",
            outcome=Outcome.APPLIED,
            effect=Effect.OURS,
            **fields,
        ),
        authorization_id="auth_1",
        causation_id=command_id,
        life=1,
        sequence=1,
        time=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_a_request_that_prefers_to_wait_returns_the_outcome(ingress, kafka, eventually):
    waiting = asyncio.create_task(ingress.post(REQUEST, Prefer="wait=20"))
    await eventually(lambda: kafka.commands)
    (command,) = kafka.read()
    kafka.publish(finished(command.id, handoff_id="mhand_1", version=7))
    reply = await waiting
    outcome = CommandOutcome.from_caller(reply.body)
    assert (reply.status, reply.headers["preference-applied"]) == (200, "wait=20")
    assert (outcome.outcome, outcome.handoff_id, outcome.accepted_at) == (
        Outcome.APPLIED,
        "mhand_1",
        command.accepted_at,
    )


async def test_an_outcome_before_the_confirmation_of_the_append_is_not_missed(ingress, kafka, eventually):
    kafka.is_silent = True
    waiting = asyncio.create_task(ingress.post(REQUEST, Prefer="wait=20"))
    await eventually(lambda: kafka.commands)
    kafka.publish(finished(kafka.read()[0].id))
    await eventually(lambda: ingress.components.tail.vector()[0] == 1)
    kafka.confirm()
    assert (await waiting).status == 200


async def test_a_wait_without_outcome_returns_202(ingress):
    reply = await ingress.post(REQUEST, Prefer="wait=1")
    assert (reply.status, reply.headers["preference-applied"]) == (202, "wait=1")


async def test_a_repeated_request_returns_an_earlier_outcome(ingress, kafka, eventually):
    first = await ingress.post(REQUEST)
    kafka.publish(finished(first.json["commandId"]))
    await eventually(lambda: ingress.components.tail.vector()[0] == 1)
    reply = await ingress.post(REQUEST, Prefer="wait=5")
    assert (reply.status, reply.headers["idempotency-replayed"]) == (200, "true")


async def test_a_key_used_for_another_type_at_another_replica_is_rejected(ingress, kafka, eventually):
    kafka.publish(finished(command_id_from_key("desk", "auth_1", "k-1")))
    await eventually(lambda: ingress.components.tail.vector()[0] == 1)
    for prefer in ({}, {"Prefer": "wait=5"}):
        reply = await ingress.post(WATCH, **prefer)
        assert (reply.status, reply.json["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    assert kafka.commands == []
    assert (await ingress.post(REQUEST, Prefer="wait=5")).status == 200


def ended(record):
    """The event with which the worker ends the command of a record."""
    task = read(record, b"k" * 32, PHI_KEYS)
    event = outcome.finished(task, Applied(Effect.OURS), None)
    return publish(
        event, authorization_id="auth_1", causation_id=task.command_id, life=1, sequence=1, time=datetime.now(UTC)
    )


@pytest.mark.parametrize("request_", [(REQUEST, {}, {"requestedBy": "jo"}), (CLOSE, SUBMITTED, OTHER)], ids=["", "phi"])
async def test_another_body_of_a_key_is_rejected_at_every_replica(ingress, kafka, eventually, monkeypatch, request_):
    path, first, second = request_
    with monkeypatch.context() as at_another_replica:
        at_another_replica.setattr(Replays, "remember", lambda *_: None)
        await ingress.post(path, first)
    _, key, headers, value = kafka.commands.pop()
    waiting = asyncio.create_task(ingress.post(path, second, Prefer="wait=20"))
    await eventually(lambda: kafka.commands)
    kafka.publish(ended(Record(0, 0, key, value, headers, 0.0)))
    replies = [await waiting]  # the worker was still applying the first body
    replies += [await ingress.post(path, second, **prefer) for prefer in ({}, {"Prefer": "wait=5"})]
    assert [(one.status, one.json["type"].rpartition(":")[2]) for one in replies] == [
        (422, "idempotency-key-reused")
    ] * 3
    assert (await ingress.post(path, first, Prefer="wait=5")).status == 200, "although this replica accepted the second"


async def test_a_waiting_request_rejects_the_outcome_of_another_type(ingress, kafka, eventually):
    waiting = asyncio.create_task(ingress.post(WATCH, Prefer="wait=20"))
    await eventually(lambda: kafka.commands)
    kafka.publish(finished(kafka.read()[0].id, handoff_id="mhand_1"))
    reply = await waiting
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")


@pytest.mark.usefixtures("silent_kafka")
async def test_a_silent_kafka_is_503_with_an_unknown_result_within_the_deadline(ingress):
    async with within(1):
        reply = await ingress.post(REQUEST)
    assert (reply.status, reply.json["kept"]) == (503, "unknown")
    assert int(reply.headers["retry-after"]) >= 1


async def test_the_log_line_of_a_request_has_ids_and_no_content(lines, ingress):
    secret = uuid.uuid4().hex
    await ingress.post(CLOSE, {"result": {"type": "revoked", "reason": secret}})
    (line,) = [line for line in lines() if line["event"] == "ingress.request_completed"]
    assert (line["status"], line["caller"], line["authorization_id"]) == (202, "desk", "auth_1")
    assert secret not in json.dumps(lines())
    assert ingress.key not in json.dumps(lines())
