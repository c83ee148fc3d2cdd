"""A read of content with PHI is on record before the response leaves: who, what and when, never the content."""

import json

import pytest

from local.collate.web.wire import authorization_json
from local.issuer import LocalIssuer
from schemas.commands import RecordRead
from tests.process.ingress.dead_letters.test_dead_letters import add_dead_letters, dead_letter  # noqa: F401 - a fixture

REVIEW = "/v1/authorizations/{}/review-snapshot"


@pytest.fixture(scope="module")
def issuer():
    with LocalIssuer() as issuer:
        yield issuer


@pytest.fixture
def authorization(collate):
    (authorization,) = collate.create("handoff_active", review_backed=True)
    return authorization


def sign_in(ingress, issuer):
    entry = issuer.callers_file_entry({"staff": ["authorization:review", "operate"]})
    ingress.add_callers(entry)
    ingress.key = issuer.token("jo.miller", ["staff"])


@pytest.mark.parametrize(("query", "operator"), [("", None), ("?operator=op-7", "op-7")])
async def test_a_review_by_a_service_is_on_record(ingress, kafka, authorization, query, operator):
    reply = await ingress.get(REVIEW.format(authorization) + query)
    assert reply.status == 200
    (command,) = kafka.read()
    assert isinstance(command.data, RecordRead)
    assert (command.caller, command.authorization_id, command.data.operator) == ("desk", authorization, operator)
    snapshot_id = reply.json["reviewSnapshot"]["id"]
    assert (command.data.content, command.data.review_snapshot_id) == ("review_snapshot", snapshot_id)
    (_, _, _, value) = kafka.commands[0]
    assert set(json.loads(value)) <= {"content", "reviewSnapshotId", "operator"}


async def test_a_review_by_a_person_has_their_name(ingress, kafka, issuer, authorization):
    sign_in(ingress, issuer)
    assert (await ingress.get(REVIEW.format(authorization))).status == 200
    reply = await ingress.get(REVIEW.format(authorization) + "?operator=sam.lee")
    assert (reply.status, reply.json["errors"][0]["parameter"]) == (422, "operator")
    (command,) = kafka.read()
    assert (command.caller, command.data.operator) == ("people:jo.miller", "jo.miller")


async def test_two_reads_are_two_records(ingress, kafka, authorization):
    for _ in range(2):
        assert (await ingress.get(REVIEW.format(authorization))).status == 200
    first, second = kafka.read()
    assert first.id != second.id


async def test_what_could_not_be_read_is_not_on_record(ingress, kafka, collate):
    (nothing,) = collate.create("complete_payer_interaction")
    replies = [await ingress.get(REVIEW.format(one)) for one in (nothing, "auth_unknown")]
    assert [reply.status for reply in replies] == [404, 404]
    assert kafka.commands == []


@pytest.mark.usefixtures("silent_kafka")
async def test_without_a_record_no_snapshot_is_returned(ingress, authorization):
    reply = await ingress.get(REVIEW.format(authorization))
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (503, "audit-unavailable")
    assert "reviewSnapshot" not in reply.json
    assert reply.headers["retry-after"]


async def test_without_kafka_collate_is_not_asked_for_a_snapshot(ingress, collate, authorization):
    ingress.lose_kafka()
    calls = len(collate.ledger.calls)
    reply = await ingress.get(REVIEW.format(authorization))
    assert (reply.status, len(collate.ledger.calls)) == (503, calls)


async def test_the_original_of_a_dead_letter_is_on_record(ingress, kafka, issuer, add_dead_letters):  # noqa: F811
    dead = await add_dead_letters(dead_letter())
    path = f"/v1/dead-letters/{dead.command_id}/original"
    assert (await ingress.get(f"{path}?operator=op-7")).status == 200
    sign_in(ingress, issuer)
    assert (await ingress.get(path)).status == 200
    assert (await ingress.get(f"{path}?operator=op-7")).status == 422
    first, second = kafka.read()
    assert (first.caller, first.data.operator) == ("desk", "op-7")
    assert (second.caller, second.data.operator) == ("people:jo.miller", "jo.miller")
    assert {(one.authorization_id, one.data.content, one.data.of_command) for one in (first, second)} == {
        (dead.authorization_id, "dead_letter_original", dead.command_id)
    }
    assert "Doe" not in repr(kafka.commands)


@pytest.mark.usefixtures("silent_kafka")
async def test_without_a_record_no_original_is_returned(ingress, add_dead_letters):  # noqa: F811
    dead = await add_dead_letters(dead_letter())
    reply = await ingress.get(f"/v1/dead-letters/{dead.command_id}/original?operator=op-7")
    assert reply.status == 503
    assert b"Doe" not in reply.body


async def test_a_read_is_no_command_of_a_caller(ingress, kafka):
    event = {"specversion": "1.0", "id": "1", "source": "/x", "subject": "auth_1", "type": RecordRead.TYPE.value}
    body = event | {"data": {"content": "review_snapshot"}}
    reply = await ingress.call("POST", "/v1/commands", body, {"content-type": "application/cloudevents+json"})
    assert (reply.status, kafka.commands) == (422, [])


EVIDENCE = "/v1/authorizations/{}/payer-evidence"


async def test_the_payers_evidence_is_passed_on_as_collate_shows_it_and_on_record(lines, ingress, kafka, collate):
    (authorization,) = collate.create("complete_payer_interaction")
    before = await ingress.get(EVIDENCE.format(authorization))
    assert (before.status, before.json["type"].rpartition(":")[2], kafka.commands) == (404, "no-payer-evidence", [])
    collate.act(authorization, "payer", truth="approved")
    shown = authorization_json(collate.state.authorizations[authorization], collate.state.profile)
    shown = json.loads(json.dumps(shown))
    reply = await ingress.get(EVIDENCE.format(authorization) + "?operator=op-7")
    assert reply.headers["cache-control"] == "no-store"
    assert (reply.status, reply.json) == (
        200,
        {
            "authorizationId": authorization,
            "version": shown["version"],
            "status": shown["status"],
            "outcome": shown["outcome"],
            "payerReceipt": shown["submission"]["payerReceipt"],
            "decision": shown["submission"]["decision"],
        },
    )
    (command,) = kafka.read()
    assert (command.caller, command.data.content, command.data.operator) == ("desk", "payer_evidence", "op-7")
    reference = shown["submission"]["payerReceipt"]["referenceNumber"]
    assert reference not in json.dumps(lines()) + repr(kafka.commands)


@pytest.mark.usefixtures("silent_kafka")
async def test_without_a_record_no_evidence_is_returned(ingress, collate):
    (authorization,) = collate.create("complete_payer_interaction")
    collate.act(authorization, "payer", truth="approved")
    reply = await ingress.get(EVIDENCE.format(authorization))
    assert (reply.status, "payerReceipt" in reply.json) == (503, False)
