"""The bounds of credentials: keys, secrets, signatures and tokens, one step on each side."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.auth.authentication import Authentication
from gateway.ingress.auth.callers import (
    Caller,
    Callers,
    Credentials,
    HashedKey,
    Permission,
    new_key,
    new_signing_secret,
)
from gateway.ingress.auth.callers_file import read_callers
from runtime.toml_file import TomlInvalid
from schemas.fields.signing_secret import SecretInvalid, read_secret
from schemas.fields.webhook_signature import read_signature

CALLER = Caller("intake", frozenset({Permission.HANDOFF_REQUEST}))
ISSUER = """
[[issuer]]
url = "https://login.example"
audience = "collate-gateway"
algorithms = []
keys = "https://login.example/jwks.json"
"""


def callers_with(key):
    return Callers([Credentials(CALLER, (HashedKey("id1", hashlib.sha256(key.encode()).digest()),))])


def test_a_key_may_contain_the_separator_in_its_secret():
    assert callers_with("cgk_id1_a_b_c").by_key("cgk_id1_a_b_c", 0.0) is CALLER


@pytest.mark.parametrize("key", ["xyz_id1_secret", "cgk_id1", "id1_secret", "_id1_secret", "cgk_id2_secret"])
def test_a_key_of_another_form_is_no_key(key):
    assert callers_with(key).by_key(key, 0.0) is None


def test_a_new_key_names_its_day_and_has_256_random_bits():
    made = new_key(datetime(2026, 5, 4, tzinfo=UTC))
    prefix, key_id, secret = made.key.split("_", 2)
    assert (prefix, key_id[:6], len(key_id)) == ("cgk", "260504", 14)
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32


def test_a_new_signing_secret_has_256_random_bits():
    assert len(read_secret(new_signing_secret())) == 32


def test_an_issuer_has_an_algorithm():
    with pytest.raises(TomlInvalid, match="algorithms"):
        read_callers(ISSUER.encode())


@pytest.mark.parametrize("size", [24, 25, 64])
def test_a_secret_of_24_bytes_or_more_is_read(size):
    assert read_secret(f" whsec_{base64.b64encode(b's' * size).decode()}\n") == b"s" * size


@pytest.mark.parametrize(
    "text", ["whsec_" + base64.b64encode(b"s" * 23).decode(), "whsec_" + "c3Nz" * 8 + "-_", "whsec_c3N", "", "whsec_"]
)
def test_another_secret_is_refused(text):
    with pytest.raises(SecretInvalid):
        read_secret(text)


@pytest.mark.parametrize(
    ("seconds", "is_accepted"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)]
)
def test_a_signature_is_valid_for_five_minutes_around_its_time(seconds, is_accepted):
    secret, at = b"s" * 24, 1_800_000_000
    signature = base64.b64encode(hmac.digest(secret, b"msg_1.%d.{}" % at, hashlib.sha256))
    headers = {
        b"webhook-id": b"msg_1",
        b"webhook-timestamp": b"%d" % at,
        b"webhook-signature": b"v1," + signature,
    }
    found = read_signature(headers, at + seconds)
    assert (found is not None) is is_accepted
    assert found is None or (found.message_id, found.is_valid(b"{}", (secret,))) == ("msg_1", True)


class Tokens:
    """Notes the tokens that reach it."""

    def __init__(self):
        self.presented = []

    async def subject(self, token):
        self.presented.append(token)


class File:
    current = read_callers(ISSUER.replace("[]", '["RS256"]').encode())


@pytest.mark.parametrize(("size", "is_read"), [(8_191, True), (8_192, True), (8_193, False)])
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER "])
async def test_a_credential_is_read_up_to_8_kib(size, is_read, scheme):
    async def app(scope, receive, send):
        assert scope["user"] is None

    tokens, token = Tokens(), "a.b." + "c" * (size - len(scheme) - 4)
    context = RequestContext("r", {b"authorization": (scheme + token).encode()})
    await Authentication(app, File(), tokens)({"state": {"context": context}}, None, None)
    assert tokens.presented == ([token] if is_read else [])


@pytest.mark.parametrize("authorization", [b"Basic a.b.c", b"Bearera.b.c", b"Bearer", b"Bearer a.b", b"Bearer a.b.c.d"])
async def test_another_credential_is_not_taken_for_a_token(authorization):
    async def app(scope, receive, send):
        assert scope["user"] is None

    tokens = Tokens()
    context = RequestContext("r", {b"authorization": authorization})
    await Authentication(app, File(), tokens)({"state": {"context": context}}, None, None)
    assert tokens.presented == []
