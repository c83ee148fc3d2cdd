"""The bounds of credentials: keys, secrets and tokens, one step on each side."""

import base64
import hashlib
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
from schemas.fields.signing_secret import read_secret

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
