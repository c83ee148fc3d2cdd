"""Callers with a token or a signature, through the whole ingress."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from joserfc import jwk, jwt
from standardwebhooks import Webhook

REQUEST = "/v1/authorizations/auth_1/handoffs"
ISSUER, AUDIENCE = "https://login.example", "collate-gateway"
KEY = jwk.ECKey.generate_key("P-256", {"kid": "k1"})
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


@pytest.fixture
def ingress(ingress, tmp_path):
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    (tmp_path / "secret").write_text(SECRET)
    ingress.callers_file.write_text(f"""
[[issuer]]
url = "{ISSUER}"
audience = "{AUDIENCE}"
algorithms = ["ES256"]
keys = "{tmp_path}/jwks.json"

[[caller]]
name = "intake"
permissions = ["handoff:request", "authorization:read", "operate"]
[[caller.token]]
issuer = "{ISSUER}"
subject = "intake-client"
[[caller.signature]]
secret_file = "{tmp_path}/secret"

[[caller]]
name = "other"
permissions = ["handoff:request"]
""")
    assert ingress.components.callers.reread_if_changed()
    ingress.key = None
    return ingress


def bearer(subject="intake-client", seconds=300, key=KEY):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": int(time.time()) + seconds}
    return "Bearer " + jwt.encode({"alg": "ES256", "kid": "k1"}, claims, key, algorithms=["ES256"])


def part(content):
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def test_a_token_identifies_its_caller(ingress, kafka):
    assert (await ingress.post(REQUEST, Authorization=bearer())).status == 202
    assert kafka.read()[0].caller == "intake"


@pytest.mark.parametrize(
    "credential",
    [
        lambda: bearer("stranger"),
        lambda: bearer(seconds=-100),
        lambda: bearer(key=jwk.ECKey.generate_key("P-256", {"kid": "k1"})),
        lambda: bearer()[:-2],
        lambda: "Bearer a.b.c",
        lambda: "Bearer " + part({"alg": []}) + "." + part({"iss": ISSUER}) + ".x",
    ],
    ids=["another subject", "expired", "another key", "cut", "no token", "another type"],
)
async def test_an_invalid_token_is_401(ingress, kafka, credential):
    reply = await ingress.post(REQUEST, Authorization=credential())
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (401, "unauthenticated")
    assert kafka.commands == []


async def test_a_token_has_the_permissions_of_its_caller(ingress):
    assert (await ingress.post("/v1/authorizations/auth_1/watch", Authorization=bearer())).status == 403


def signed(body, message_id="msg_1", secret=SECRET):
    at = datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
        "authorization": None,
    }


async def send_signed(ingress, body, message_id="msg_1", *, secret=SECRET, caller="intake", sent=None):
    headers = signed(body, message_id, secret)
    return await ingress.call("POST", f"{REQUEST}?caller={caller}", body if sent is None else sent, headers)


async def test_a_signature_identifies_its_caller_and_its_id_is_the_key(ingress, kafka):
    first = await send_signed(ingress, b"{}")
    again = await send_signed(ingress, b"{}")
    other = await send_signed(ingress, b"{}", "msg_2")
    assert [reply.status for reply in (first, again, other)] == [202, 202, 202]
    assert first.json == again.json != other.json
    assert again.headers["idempotency-replayed"] == "true"
    assert {command.caller for command in kafka.read()} == {"intake"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 401),
        ("?caller=intake", 200),
        ("?caller=int%61ke", 200),
        ("?authorizationId=auth_1&caller=intake", 200),
        ("?caller=intake&caller=intake", 400),
        ("?caller=intake&unknown=1", 400),
    ],
)
async def test_a_signed_request_may_follow_the_events(ingress, query, status):
    head = ingress.head("HEAD", f"/v1/events{query}", signed(b""))
    reader, writer = await ingress.open()
    writer.write(head + b"\r\n")
    assert (await reader.readuntil(b"\r\n")).split()[1] == str(status).encode()
    writer.close()


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 200), ("&limit=5", 200), ("&caller=other", 200), ("&caller=other&caller=third", 400), ("&unknown=1", 400)],
)
async def test_a_signed_request_may_list_the_dead_letters(ingress, query, status):
    reply = await ingress.call("GET", f"/v1/dead-letters?caller=intake{query}", headers=signed(b""))
    assert reply.status == status


class TestReads:
    @pytest.fixture
    def settings_of(self, tmp_path):
        (tmp_path / "dsn").write_text("postgresql://127.0.0.1:1/none")
        return {"GATEWAY_READMODEL__DSN_FILE": str(tmp_path / "dsn")}

    @pytest.mark.parametrize(
        ("path", "slug"),
        [
            ("/v1/authorizations/auth_1?caller=intake", "read-model-unavailable"),
            ("/v1/overview?caller=intake", "read-model-unavailable"),
            ("/v1/handoffs?state=active&caller=intake", "read-model-unavailable"),
            ("/v1/handoffs?caller=intake&caller=intake", "invalid-parameter"),
            ("/v1/authorizations/auth_1?caller=intake&limit=5", "invalid-parameter"),
        ],
    )
    async def test_a_signed_request_may_read(self, ingress, path, slug):
        reply = await ingress.call("GET", path, headers=signed(b""))
        assert reply.json["type"].rpartition(":")[2] == slug

    async def test_an_unsigned_request_may_not_name_a_caller(self, ingress):
        reply = await ingress.call("GET", "/v1/overview?caller=intake", headers={"authorization": bearer()})
        assert reply.status == 400


@pytest.mark.parametrize(
    "change",
    [
        {"sent": b"{ }"},
        {"secret": "whsec_" + base64.b64encode(b"x" * 32).decode()},
        {"caller": "other"},
        {"caller": "nobody"},
        {"caller": ""},
        {"caller": "intake%00"},
    ],
)
async def test_an_invalid_signature_is_401(ingress, kafka, change):
    reply = await send_signed(ingress, b"{}", **change)
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (401, "unauthenticated")
    assert kafka.commands == []


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b"x" * 70_000), ({"content-encoding": "gzip"}, b"{}"), ({}, b"{}"), ({}, b"")],
    ids=["too large", "compressed", "small", "none"],
)
async def test_responses_do_not_show_which_callers_sign(ingress, headers, body):
    headers = headers | {"webhook-signature": "v1,AAAA", "authorization": None}
    answers = set()
    for caller in ("intake", "other", "nobody", ""):
        reply = await ingress.call("POST", f"{REQUEST}?caller={caller}", body, headers)
        problem = {name: value for name, value in reply.json.items() if name != "requestId"}
        answers.add((reply.status, reply.headers.get("connection"), json.dumps(problem)))
    assert len(answers) == 1


async def test_a_signature_with_the_placeholder_secret_is_401(ingress):
    secret = "whsec_" + base64.b64encode(bytes(32)).decode()
    assert (await send_signed(ingress, b"{}", secret=secret, caller="nobody")).status == 401


async def test_a_long_query_does_not_show_a_signer(ingress):
    headers = {"webhook-signature": "v1,AAAA", "authorization": None}
    for fields in (10, 11, 500):
        reply = await ingress.call("POST", f"{REQUEST}?caller=intake" + "&a=b" * fields, headers=headers)
        assert reply.status == 401


async def test_a_signed_body_has_the_same_limits(ingress):
    assert (await send_signed(ingress, b'{"a": "' + b"x" * 70_000 + b'"}')).status == 413
    assert (await send_signed(ingress, b"{")).status == 400


async def test_a_bearer_credential_takes_precedence_over_a_signature(ingress):
    at = datetime.now(UTC)
    signature = Webhook(SECRET).sign("msg_1", at, "")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    reply = await ingress.call("POST", f"{REQUEST}?caller=intake", headers=headers | {"authorization": "Bearer nobody"})
    assert reply.status == 401
