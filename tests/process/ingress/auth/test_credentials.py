"""Callers with a token, through the whole ingress."""

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


def bearer(subject="intake-client"):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": int(time.time()) + 300}
    return "Bearer " + jwt.encode({"alg": "ES256", "kid": "k1"}, claims, KEY, algorithms=["ES256"])


async def test_a_token_identifies_its_caller(ingress, kafka):
    assert (await ingress.post(REQUEST, Authorization=bearer())).status == 202
    assert kafka.read()[0].caller == "intake"


async def test_a_valid_token_of_a_stranger_is_401(ingress, kafka):
    reply = await ingress.post(REQUEST, Authorization=bearer("stranger"))
    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (401, "unauthenticated")
    assert kafka.commands == []


async def test_an_unsigned_request_may_not_name_a_caller(ingress):
    reply = await ingress.call("GET", "/v1/events?caller=intake", headers={"authorization": bearer()})
    assert reply.status == 400
