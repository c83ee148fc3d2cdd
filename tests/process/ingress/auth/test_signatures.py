"""Commands with a Standard Webhooks signature, and signed requests that an attacker sends to another place."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from local.processes.patience import slowness
from schemas.callers import asserted_by
from schemas.cloudevents import BATCH
from schemas.enums import AssertedBy

COMMANDS = "/v1/commands"
HANDOFFS = "/v1/authorizations/auth_2/handoffs"
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
STRUCTURED = "application/cloudevents+json"


@pytest.fixture
def ingress(ingress, tmp_path):
    (tmp_path / "secret").write_text(SECRET)
    ingress.use_callers(f"""
[[caller]]
name = "intake"
permissions = ["handoff:request", "handoff:grant", "authorization:watch", "authorization:read", "operate"]
[[caller.signature]]
secret_file = "{tmp_path}/secret"

[[caller]]
name = "other"
permissions = ["handoff:request"]

[[caller]]
name = "reader"
permissions = ["authorization:read"]
[[caller.signature]]
secret_file = "{tmp_path}/secret"
""")
    ingress.key = None
    return ingress


def event(**change):
    document = {
        "specversion": "1.0",
        "id": "msg_1",
        "source": "/intake",
        "type": "collate-gateway.authorization.watch.v1",
        "subject": "auth_1",
        "data": {},
    }
    return json.dumps(document | change).encode()


def signed(body, message_id="msg_1", *, secret=SECRET, seconds=0):
    at = datetime.fromtimestamp(time.time() + seconds, UTC)
    return {
        "authorization": None,
        "content-type": STRUCTURED,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }


async def send(ingress, body, headers=None, *, caller="intake"):
    return await ingress.call("POST", f"{COMMANDS}?caller={caller}", body, signed(body) if headers is None else headers)


def slug_of(reply):
    return reply.json["type"].rpartition(":")[2]


class TestCapturedRequests:
    """A signature covers the body, but not the method, the path and the query."""

    @pytest.fixture
    def settings_of(self, tmp_path):
        (tmp_path / "dsn").write_text("postgresql://127.0.0.1:1/none")
        return {"GATEWAY_READMODEL__DSN_FILE": str(tmp_path / "dsn")}

    async def test_a_grant_request_gives_no_link_on_another_authorization(self, ingress, kafka, collate):
        (authorization,) = collate.create("handoff_active")
        body = b'{"operator": "op-7"}'
        path = f"/v1/authorizations/{authorization}/handoffs/active/access-grants?caller=intake"
        reply = await ingress.call("POST", path, body, signed(body) | {"content-type": "application/json"})
        assert (reply.status, slug_of(reply)) == (401, "signature-not-accepted")
        assert kafka.commands == []
        assert not [call for call in collate.ledger.calls if "access-grants" in call.path]

    @pytest.mark.parametrize("path", [HANDOFFS, "/v1/authorizations/auth_2/watch", f"{HANDOFFS}/mhand_1/close"])
    async def test_a_watch_is_no_command_of_another_path(self, ingress, kafka, path):
        headers = signed(b"{}") | {"content-type": "application/json"}
        reply = await ingress.call("POST", f"{path}?caller=intake", b"{}", headers)
        assert (reply.status, slug_of(reply)) == (401, "signature-not-accepted")
        assert kafka.commands == []

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/overview",
            "/v1/dead-letters",
            "/v1/events",
            "/v1/handoffs",
            "/v1/authorizations/auth_1",
            "/v1/authorizations/auth_1/review-snapshot",
        ],
    )
    async def test_an_empty_body_opens_no_read(self, ingress, path):
        reply = await ingress.call("GET", f"{path}?caller=intake", headers=signed(b""))
        assert (reply.status, slug_of(reply)) == (401, "signature-not-accepted")

    async def test_an_operators_decision_needs_another_credential(self, ingress, kafka):
        path = "/v1/dead-letters/2f1c6d1e-0d55-5b4e-9a53-0f7c1a8e7b10/discard?caller=intake"
        body = b'{"operator": "op-7", "reason": "caller_asked", "redrive": 0}'
        reply = await ingress.call("POST", path, body, signed(body) | {"content-type": "application/json"})
        assert (reply.status, slug_of(reply)) == (401, "signature-not-accepted")
        assert kafka.commands == []

    async def test_the_problem_says_why_and_what_to_do(self, ingress):
        reply = await ingress.call("GET", "/v1/overview?caller=intake", headers=signed(b""))
        assert "does not cover" in reply.json["detail"]
        assert f"POST {COMMANDS}" in reply.json["detail"]
        assert reply.headers["www-authenticate"] == "Bearer"

    async def test_a_command_in_binary_mode_could_get_another_type_and_subject(self, ingress, kafka):
        attributes = {
            "ce-specversion": "1.0",
            "ce-id": "msg_1",
            "ce-source": "/intake",
            "ce-type": "collate-gateway.handoff.request.v1",
            "ce-subject": "auth_2",
        }
        reply = await send(ingress, b"{}", signed(b"{}") | attributes | {"content-type": "application/json"})
        assert (reply.status, slug_of(reply)) == (401, "signature-not-accepted")
        assert "structured" in reply.json["detail"]
        assert kafka.commands == []

    async def test_a_replay_is_the_same_command(self, ingress, kafka):
        body = event()
        headers = signed(body)
        first, again = await send(ingress, body, headers), await send(ingress, body, headers)
        assert (first.status, again.status) == (202, 202)
        assert first.json == again.json
        assert again.headers["idempotency-replayed"] == "true"
        assert len(kafka.commands) == 1


async def test_a_signature_identifies_its_caller(ingress, kafka):
    for number in range(2):
        body = event(id=f"msg_{number}")
        assert (await send(ingress, body, signed(body, f"msg_{number}"))).status == 202
    assert {command.caller for command in kafka.read()} == {"intake"}
    assert len({command.id for command in kafka.read()}) == 2


class TestNames:
    """A signer is a service: it states the names of people, and vouches for them as a service with a key does."""

    TYPE = "collate-gateway.handoff.request.v1"

    async def test_a_signed_command_states_names_or_none(self, ingress, kafka):
        names = {"acceptedReviewSnapshotId": "rev_1", "requestedBy": "op-7", "acceptedBy": "dr-1"}
        for number, data in enumerate((names, {})):
            body = event(id=f"msg_{number}", type=self.TYPE, data=data)
            assert (await send(ingress, body, signed(body, f"msg_{number}"))).status == 202
        named, unnamed = kafka.read()
        assert (named.data.requested_by, named.data.accepted_by) == ("op-7", "dr-1")
        assert (unnamed.data.requested_by, unnamed.data.accepted_by) == (None, None)
        assert {asserted_by(command.caller) for command in (named, unnamed)} == {AssertedBy.CALLER}


async def test_the_id_of_the_message_must_be_that_of_the_event(ingress, kafka):
    body = event(id="msg_2")
    reply = await send(ingress, body, signed(body, "msg_1"))
    assert (reply.status, slug_of(reply)) == (400, "invalid-header")
    assert reply.json["errors"] == [{"header": "webhook-id", "detail": "the event's `id`"}]
    assert kafka.commands == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 401),
        ("?caller=intake", 202),
        ("?caller=int%61ke", 202),
        ("?a=b&caller=intake", 202),
        ("?caller=intake&caller=other", 202),
        ("?caller=other&caller=intake", 401),
    ],
)
async def test_the_first_caller_of_the_query_names_the_signer(ingress, query, status):
    body = event()
    assert (await ingress.call("POST", COMMANDS + query, body, signed(body))).status == status


@pytest.mark.parametrize("caller", ["other", "nobody", "", "intake%00", "intake&a=b" + "&a=b" * 500])
@pytest.mark.parametrize("secret", [b"s" * 32, b"x" * 32, bytes(32)])
async def test_a_signature_with_a_wrong_secret_or_of_no_signer_is_401(ingress, kafka, caller, secret):
    if caller.startswith("intake&"):
        secret = b"x" * 32
    body = event()
    headers = signed(body, secret="whsec_" + base64.b64encode(secret).decode())
    reply = await send(ingress, body, headers, caller=caller)
    assert (reply.status, slug_of(reply)) == (401, "unauthenticated")
    assert kafka.commands == []


async def test_a_changed_body_is_401(ingress, kafka):
    reply = await send(ingress, event(subject="auth_2"), signed(event()))
    assert (reply.status, slug_of(reply)) == (401, "unauthenticated")
    assert kafka.commands == []


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": None},
        {"webhook-id": "a b"},
        {"webhook-id": "x" * 256},
        {"webhook-timestamp": None},
        {"webhook-timestamp": "-1"},
        {"seconds": -3_600},
        {"seconds": 3_600},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2," + "A" * 43 + "="},
        {"caller": "nobody"},
        {"caller": "other"},
        {"caller": ""},
        {"content-type": "application/json"},
        {"content-type": None},
    ],
    ids=str,
)
async def test_a_signature_that_cannot_be_valid_is_401_before_the_body(ingress, change):
    changed = {name: value for name, value in change.items() if name not in {"caller", "seconds"}}
    headers = signed(event(), seconds=change.get("seconds", 0)) | {"content-length": "5000"} | changed
    caller = change.get("caller", "intake")
    head = ingress.head("POST", f"{COMMANDS}?caller={caller}", headers)
    started = time.monotonic()
    assert (await ingress.raw(head + b"\r\n")).status == 401
    assert time.monotonic() - started < 2 * slowness()


async def test_responses_to_whole_requests_do_not_show_which_callers_sign(ingress):
    body, secret = event(), "whsec_" + base64.b64encode(b"x" * 32).decode()
    answers = set()
    for caller in ("intake", "other", "nobody", ""):
        reply = await send(ingress, body, signed(body, secret=secret), caller=caller)
        problem = {name: value for name, value in reply.json.items() if name != "requestId"}
        answers.add((reply.status, json.dumps(problem)))
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b"x" * 70_000), ({"content-encoding": "gzip"}, b"{}"), ({}, b"{}"), ({}, b"")],
    ids=["too large", "compressed", "small", "none"],
)
@pytest.mark.parametrize("path", [COMMANDS, HANDOFFS])
async def test_responses_to_malformed_signatures_do_not_show_which_callers_sign(ingress, path, headers, body):
    headers = headers | {"webhook-signature": "v1,AAAA", "authorization": None, "content-type": STRUCTURED}
    answers = set()
    for caller in ("intake", "other", "nobody", ""):
        reply = await ingress.call("POST", f"{path}?caller={caller}", body, headers)
        problem = {name: value for name, value in reply.json.items() if name != "requestId"}
        answers.add((reply.status, reply.headers.get("connection"), json.dumps(problem)))
    assert len(answers) == 1


async def test_a_signed_body_has_the_same_limits(ingress):
    body = event(data={"metadata": {"a": "x" * 70_000}})
    assert (await send(ingress, body)).status == 413
    assert (await send(ingress, b"{")).status == 400
    assert (await send(ingress, event(subject="not an id"))).status == 422


async def test_a_bearer_credential_takes_precedence_over_a_signature(ingress):
    body = event()
    assert (await send(ingress, body, signed(body) | {"authorization": "Bearer nobody"})).status == 401


async def test_a_signed_request_may_read_the_public_documents(ingress):
    assert (await ingress.call("GET", "/openapi.json", headers=signed(b""))).status == 200


class TestRates:
    @pytest.fixture
    def settings_of(self):
        return {"GATEWAY_INGRESS__CALLER_RATE": "0.5", "GATEWAY_INGRESS__CALLER_BURST": "2"}

    async def test_signed_commands_count_for_the_rate_of_their_caller(self, ingress):
        statuses = []
        for number in range(3):
            body = event(id=f"msg_{number}")
            statuses.append((await send(ingress, body, signed(body, f"msg_{number}"))).status)
        assert statuses == [202, 202, 429]

    async def test_forged_signatures_do_not_count_for_the_rate_of_the_caller(self, ingress):
        body = event()
        for _ in range(3):
            assert (await send(ingress, event(subject="auth_2"), signed(body))).status == 401
        assert (await send(ingress, body)).status == 202


async def test_a_signer_without_the_permission_gets_the_problem_of_its_body_and_of_each_event(ingress, kafka):
    assert (await send(ingress, event(), caller="reader")).status == 403
    malformed = event(subject="a b")
    assert (await send(ingress, malformed, caller="reader")).status == 422
    batch = b"[" + event() + b"]"
    reply = await send(ingress, batch, signed(batch, "batch_1") | {"content-type": BATCH}, caller="reader")
    assert (reply.status, [each["status"] for each in reply.json["results"]]) == (207, [403])
    assert kafka.commands == []
