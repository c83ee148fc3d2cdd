"""Callers with a token, through the whole ingress."""

import base64
import json
import time

import pytest
from joserfc import jwk, jwt

REQUEST = "/v1/authorizations/auth_1/handoffs"
ISSUER, AUDIENCE = "https://login.example", "collate-gateway"
KEY = jwk.ECKey.generate_key("P-256", {"kid": "k1"})


@pytest.fixture
def ingress(ingress, tmp_path):
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    ingress.use_callers(f"""
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

[[caller]]
name = "other"
permissions = ["handoff:request"]
""")
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


async def test_an_unsigned_request_may_not_name_a_caller(ingress):
    reply = await ingress.call("GET", "/v1/events?caller=intake", headers={"authorization": bearer()})
    assert reply.status == 400
