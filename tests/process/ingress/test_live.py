import asyncio
import json
from datetime import UTC, datetime

import pytest

from gateway.ingress.shared_reads import SharedReads
from schemas.api.messages import AccessGranted, Review
from schemas.api.situations import LiveHandoff
from schemas.commands import RecordAccess
from schemas.times import format_time

ACCESS = "/v1/authorizations/{}/handoffs/{}/access-grants"
OPERATOR = {"operator": "op-7"}


@pytest.fixture
def authorization(collate):
    (authorization,) = collate.create("handoff_active", review_backed=True)
    return authorization


async def grant(ingress, authorization, handoff="active", body=OPERATOR, **headers):
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    return await ingress.call("POST", ACCESS.format(authorization, handoff), body, own)


async def test_a_granted_link_is_recorded(ingress, kafka, authorization):
    reply = await grant(ingress, authorization)
    granted = AccessGranted.from_caller(reply.body)
    (command,) = kafka.read()
    assert reply.status == 201
    assert reply.headers["cache-control"] == "no-store"
    assert isinstance(command.data, RecordAccess)
    assert (command.caller, command.authorization_id) == ("desk", authorization)
    assert (command.data.operator, command.data.handoff_id) == ("op-7", granted.handoff_id)
    assert command.data.grant_expires_at == granted.expires_at


async def test_a_link_is_in_no_record_log_or_metric(lines, ingress, kafka, authorization):
    granted = (await grant(ingress, authorization)).json
    text = json.dumps(lines()) + repr(kafka.commands) + repr(list(ingress.process.registry.collect()))
    assert granted["id"] not in text
    assert granted["url"] not in text


@pytest.mark.usefixtures("silent_kafka")
async def test_without_a_record_no_link_is_returned(ingress, authorization):
    reply = await grant(ingress, authorization)
    assert (reply.status, reply.json["type"]) == (503, "urn:collate-gateway:problem:audit-unavailable")
    assert "url" not in reply.json
    assert reply.headers["retry-after"]


async def test_without_kafka_no_grant_is_minted(ingress, collate, authorization):
    ingress.lose_kafka()
    assert (await grant(ingress, authorization)).status == 503
    assert not [call for call in collate.ledger.calls if "access-grants" in call.path]


async def test_a_retry_with_the_same_key_is_the_same_link_and_each_response_has_a_record(ingress, kafka, authorization):
    first = await grant(ingress, authorization, Idempotency_Key="k")
    again = await grant(ingress, authorization, Idempotency_Key="k")
    assert first.json == again.json
    records = kafka.read()
    assert [(record.caller, record.data.operator) for record in records] == [("desk", "op-7")] * 2
    assert len({record.id for record in records}) == 2


MESSAGE = "The portal asks for a new password of Pat Roe."


async def test_a_granted_link_comes_with_collates_message_for_the_operator(lines, ingress, kafka, collate):
    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": MESSAGE})
    reply = await grant(ingress, authorization)
    assert (reply.status, reply.json["message"], reply.headers["cache-control"]) == (201, MESSAGE, "no-store")
    assert "Pat Roe" not in json.dumps(lines()) + repr(kafka.commands) + repr(list(ingress.process.registry.collect()))


async def test_collates_message_for_a_handoff_without_access_is_on_record_as_a_read(lines, ingress, kafka, collate):
    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": MESSAGE})
    collate.act(authorization, "set_access", available=False)
    reply = await grant(ingress, authorization)
    assert (reply.status, reply.json["message"], reply.headers["cache-control"]) == (409, MESSAGE, "no-store")
    (command,) = kafka.read()
    assert (command.data.content, command.data.operator, command.caller) == ("handoff_message", "op-7", "desk")
    assert "Pat Roe" not in json.dumps(lines()) + repr(kafka.commands)
    ingress.lose_kafka()
    reply = await grant(ingress, authorization)
    assert reply.status == 503
    assert "Pat Roe" not in reply.body.decode()


async def test_no_active_handoff_is_409_with_the_reason(ingress, collate):
    (authorization,) = collate.create("complete_payer_interaction")
    reply = await grant(ingress, authorization)
    assert (reply.status, reply.json["reason"]) == (409, "no_active_handoff")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        ({}, 422),
        ({"operator": ""}, 422),
        ({"operator": "x" * 129}, 422),
        ({"operator": "a\nb"}, 422),
        ({"operator": "op", "url": "x"}, 422),
        (b"{", 400),
    ],
)
async def test_an_operator_must_be_named(ingress, kafka, authorization, body, status):
    assert (await grant(ingress, authorization, body=body)).status == status
    assert kafka.commands == []


@pytest.mark.parametrize(
    ("fault", "options", "status"),
    [
        ("answer", {"when": "before", "status": 503}, 503),
        ("answer", {"when": "before", "status": 429, "retryAfter": 3}, 503),
        ("answer", {"when": "before", "status": 401}, 503),
        ("reset", {"when": "before"}, 503),
        ("answer", {"when": "before", "status": 200, "shape": "html"}, 502),
        ("truncate", {}, 502),
        ("garbage", {}, 502),
    ],
)
async def test_a_failure_of_collate_is_502_or_503(ingress, collate, fault, options, status):
    (authorization,) = collate.create("handoff_active")
    collate.fault(fault, method="GET", count=50, **options)
    reply = await ingress.get(f"/v1/authorizations/{authorization}/review-snapshot")
    assert reply.status == status
    assert ("retry-after" in reply.headers) == (status == 503)


async def test_a_lost_response_to_a_mint_is_retried_and_is_one_link(ingress, collate, kafka, authorization):
    collate.fault("reset", when="after", method="POST", path="access-grants$", count=1)
    assert (await grant(ingress, authorization)).status == 201
    assert len(kafka.commands) == 1
    assert collate.ledger.summary()["byKind"]["grant_minted"] == 1


async def test_a_review_snapshot_is_passed_on_unchanged(ingress, authorization):
    reply = await ingress.get(f"/v1/authorizations/{authorization}/review-snapshot")
    review = Review.from_caller(reply.body)
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert review.review_snapshot["id"] == review.covers_review_snapshot_id
    assert review.review_snapshot["kind"] == "final_payer_submission"


async def test_no_review_snapshot_is_a_specific_404(ingress, collate):
    (authorization,) = collate.create("complete_payer_interaction")
    for named, slug in ((authorization, "no-review-snapshot"), ("auth_unknown", "authorization-not-found")):
        reply = await ingress.get(f"/v1/authorizations/{named}/review-snapshot")
        assert (reply.status, reply.json["type"].rpartition(":")[2]) == (404, slug)


async def test_live_calls_do_not_wait_for_one_another(ingress, collate, authorization):
    collate.fault("delay", when="before", seconds=0.05, path="access-grants$")
    replies = await asyncio.gather(*(grant(ingress, authorization) for _ in range(5)))
    assert {reply.status for reply in replies} == {201}
    assert len({json.loads(reply.body)["id"] for reply in replies}) == 5


NOW = "/v1/authorizations/{}/handoffs/{}"


async def now(ingress, authorization, handoff="active", query="", **headers):
    return await ingress.get(NOW.format(authorization, handoff) + query, **headers)


def reads_of(collate, end=""):
    return [call for call in collate.ledger.calls if call.method == "GET" and call.path.endswith(end)]


async def test_a_live_read_shows_the_handoff_now_with_its_time_and_is_on_record(lines, ingress, kafka, collate):
    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": MESSAGE})
    before = datetime.now(UTC)
    reply = await now(ingress, authorization, query="?operator=op-7")
    live = LiveHandoff.from_caller(reply.body)
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert (live.status, live.next_action, live.is_handoff_open) == (
        "requires_action",
        "complete_payer_interaction",
        True,
    )
    assert live.handoff.id == live.active_handoff_id
    assert (live.handoff.state, live.handoff.access_available, live.handoff.message) == ("active", True, MESSAGE)
    assert before <= live.at <= datetime.now(UTC)
    (command,) = kafka.read()
    assert (command.data.content, command.data.operator, command.caller) == ("handoff_message", "op-7", "desk")
    assert "Pat Roe" not in json.dumps(lines()) + repr(kafka.commands) + repr(list(ingress.process.registry.collect()))
    named = await now(ingress, authorization, live.handoff.id)
    assert named.json == reply.json


@pytest.fixture
def long_shared_reads(monkeypatch):
    monkeypatch.setitem(SharedReads.__init__.__kwdefaults__, "seconds", 60.0)


@pytest.mark.usefixtures("long_shared_reads")
async def test_viewers_share_one_read_of_an_authorization_and_each_viewer_is_on_record(
    ingress, kafka, collate, eventually
):
    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": MESSAGE})
    holding = collate.fault("hold", method="GET", count=1)
    viewers = [asyncio.create_task(now(ingress, authorization, query=f"?operator=op-{n}")) for n in range(5)]
    await eventually(lambda: holding.struck and ingress.metric("requests_in_flight") == 5)
    holding.release()
    replies = await asyncio.gather(*viewers)
    replies.append(await now(ingress, authorization, replies[0].json["activeHandoffId"], query="?operator=op-5"))
    replies += [await now(ingress, authorization, query="?operator=op-5") for _ in range(20)]
    assert {reply.status for reply in replies} == {200}
    assert len({reply.json["at"] for reply in replies}) == 1
    assert [len(reads_of(collate, end)) for end in (authorization, replies[0].json["activeHandoffId"])] == [1, 1]
    assert sorted(record.data.operator for record in kafka.read()) == [f"op-{n}" for n in range(6)]
    since = format_time(datetime.now(UTC))
    newer = await now(ingress, authorization, query=f"?message=omit&since={since}")
    assert replies[0].json["at"] < since <= newer.json["at"]


async def test_a_read_without_a_message_is_not_on_record(ingress, kafka, authorization):
    assert (await now(ingress, authorization)).status == 200
    assert kafka.commands == []


@pytest.mark.usefixtures("silent_kafka")
async def test_without_a_record_no_message_is_returned_and_without_the_message_no_record_is_needed(ingress, collate):
    (authorization,) = collate.create("handoff_active", handoff_overlay={"message": MESSAGE})
    refused = await now(ingress, authorization)
    assert (refused.status, refused.json["type"].rpartition(":")[2]) == (503, "audit-unavailable")
    assert b"Pat Roe" not in refused.body
    ingress.lose_kafka()
    calls = len(reads_of(collate))
    assert ((await now(ingress, authorization)).status, len(reads_of(collate))) == (503, calls)
    reply = await now(ingress, authorization, query="?message=omit")
    assert (reply.status, reply.json["handoff"]["state"], reply.json["handoff"]["messageAvailable"]) == (
        200,
        "active",
        True,
    )
    assert b"Pat Roe" not in reply.body


async def test_without_a_running_handoff_a_live_read_shows_the_authorization_and_is_on_no_record(
    ingress, kafka, collate
):
    (authorization,) = collate.create("complete_payer_interaction")
    reply = await now(ingress, authorization)
    assert (reply.status, reply.json["isHandoffOpen"], "handoff" in reply.json) == (200, False, False)
    assert kafka.commands == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("mhand_unknown", (404, "handoff-not-found")),
        ("active?message=yes", (400, "invalid-parameter")),
        ("active?text=omit", (400, "invalid-parameter")),
    ],
)
async def test_a_live_read_names_its_mistake(ingress, kafka, authorization, path, expected):
    reply = await now(ingress, authorization, path)
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == expected
    assert kafka.commands == []


async def test_a_handoff_whose_id_cannot_be_read_is_open(ingress, collate):
    (authorization,) = collate.create("handoff_active", overlay={"activeManualHandoff": {"id": 7}})
    reply = await now(ingress, authorization)
    assert (reply.status, reply.json["isHandoffOpen"], "activeHandoffId" in reply.json) == (200, True, False)


async def test_a_link_with_a_backslash_is_refused_and_no_access_is_recorded(ingress, kafka, collate, authorization):
    link = "https://runtime.example\\@evil.example/planted"
    collate.fault("rewrite", method="POST", path="access-grants$", overlay={"url": link})
    reply = await grant(ingress, authorization)
    assert (reply.status, reply.json["type"]) == (502, "urn:collate-gateway:problem:collate-broken")
    assert b"planted" not in reply.body
    assert kafka.commands == []


class TestShadow:
    @pytest.fixture
    def settings_of(self):
        return {
            "GATEWAY_COLLATE__WRITES": "off",
            "GATEWAY_ENVIRONMENT": "shadow",
            "GATEWAY_TOPICS__PREFIX": "shadow.",
            "GATEWAY_WORKER__GROUP": "shadow-worker",
        }

    async def test_a_shadow_refuses_a_grant_and_reads_on(self, ingress, kafka, collate, authorization):
        reply = await grant(ingress, authorization)
        assert (reply.status, reply.json["type"]) == (403, "urn:collate-gateway:problem:writes-off")
        path = f"/v1/authorizations/{authorization}/handoffs/active?message=omit"
        assert (await ingress.call("GET", path)).status == 200
        assert not [call for call in collate.ledger.calls if call.method != "GET"]
        assert kafka.read() == []
