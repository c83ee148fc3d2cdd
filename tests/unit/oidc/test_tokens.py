import asyncio
import base64
import hmac
import json
import threading
from dataclasses import replace

import httpx
import pytest
from joserfc import jwk, jwt

from adapters.oidc import jwks as module
from adapters.oidc.jwks import KeySet, KeysUnavailable, read_keys
from adapters.oidc.tokens import Issuer, Subject, Tokens

ISSUER = "https://login.example"
AUDIENCE = "collate-gateway"
NOW = 1_800_000_000
RSA = jwk.RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC = jwk.ECKey.generate_key("P-256", {"kid": "ec-1"})
STRANGER = jwk.RSAKey.generate_key(2048, {"kid": "rsa-1"})
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "sub": "scheduling", "exp": NOW + 300, "iat": NOW}


def published(*keys):
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


def token(claims=None, key=RSA, alg="RS256", **header):
    return jwt.encode({"alg": alg, "kid": key.kid} | header, CLAIMS | (claims or {}), key, algorithms=[alg])


class Keys:
    """The issuer's key set; counts how often it is fetched."""

    def __init__(self, *keys):
        self.content = published(*keys)
        self.fetches = 0
        self.is_away = False
        self.trouble = OSError()

    def __call__(self, place):
        self.fetches += 1
        if self.is_away:
            raise self.trouble
        return self.content


def tokens_with(keys, algorithms=("RS256", "ES256"), clock=lambda: NOW):
    issuer = Issuer(ISSUER, AUDIENCE, frozenset(algorithms), "https://login.example/jwks.json")
    return Tokens(lambda: {ISSUER: issuer}, keys, clock)


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS256"), (EC, "ES256")])
async def test_a_valid_token_returns_its_subject(key, alg):
    assert await tokens_with(Keys(RSA, EC)).subject(token(key=key, alg=alg)) == Subject(ISSUER, "scheduling")


async def test_an_audience_among_several_is_enough():
    assert await tokens_with(Keys(RSA)).subject(token({"aud": ["other", AUDIENCE]})) is not None


@pytest.mark.parametrize("claims", [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "other"},
    {"aud": None},
    {"aud": []},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"exp": NOW - 60},
    {"exp": None},
    {"exp": "tomorrow"},
    {"nbf": NOW + 60},
    {"iat": NOW + 60},
])  # fmt: skip
async def test_a_token_with_a_wrong_claim_is_refused(claims):
    assert await tokens_with(Keys(RSA)).subject(token(claims)) is None


async def test_clocks_may_differ_by_half_a_minute():
    assert await tokens_with(Keys(RSA)).subject(token({"exp": NOW - 20, "nbf": NOW + 20})) is not None


async def test_a_token_signed_by_another_key_with_a_known_id_is_refused():
    assert await tokens_with(Keys(RSA)).subject(token(key=STRANGER)) is None


async def test_an_algorithm_that_is_not_on_the_list_is_refused():
    assert await tokens_with(Keys(RSA), algorithms=["ES256"]).subject(token()) is None


async def test_no_signature_and_a_public_key_as_a_shared_secret_are_refused():
    def part(content):
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    unsigned = f"{part({'alg': 'none', 'kid': 'rsa-1'})}.{part(CLAIMS)}."
    signed = f"{part({'alg': 'HS256', 'kid': 'rsa-1'})}.{part(CLAIMS)}"
    digest = hmac.digest(RSA.as_pem(private=False), signed.encode(), "sha256")
    confused = f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
    tokens = tokens_with(Keys(RSA))
    assert await tokens.subject(unsigned) is None
    assert await tokens.subject(confused) is None


@pytest.mark.parametrize(
    "text", ["", "..", "a.b.c", "é.b.c", "\udcff.b.c", "." * 100, "e30.e30.", "W10.W10.x", "bnVsbA.e30.x"]
)
async def test_text_that_is_not_a_token_is_refused(text):
    assert await tokens_with(Keys(RSA)).subject(text) is None


@pytest.mark.parametrize("header", [{"alg": []}, {"alg": {}}, {"alg": 7}, {"kid": []}, {"kid": {}}, {"kid": 7}])
async def test_a_header_of_a_wrong_type_is_refused(header):
    head, claims, signature = token().split(".")
    head = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": "rsa-1"} | header).encode()).decode()
    assert await tokens_with(Keys(RSA)).subject(f"{head}.{claims}.{signature}") is None


@pytest.mark.parametrize("issuer", [[ISSUER], {}, 7, True, None])
async def test_an_issuer_of_a_wrong_type_is_refused(issuer):
    assert await tokens_with(Keys(RSA)).subject(token({"iss": issuer})) is None


async def test_a_token_may_expire_at_a_time_beyond_all_dates():
    assert await tokens_with(Keys(RSA)).subject(token({"exp": 10**400})) is not None


async def test_a_valid_token_is_remembered_for_a_while_but_not_past_its_expiry():
    now = [float(NOW)]
    keys = Keys(RSA)
    tokens = tokens_with(keys, clock=lambda: now[0])
    good = token({"exp": NOW + 40})
    assert await tokens.subject(good) is not None
    keys.content = published(EC)
    now[0] += 39
    assert await tokens.subject(good) is not None
    now[0] += 40
    assert await tokens.subject(good) is None


async def test_forgotten_tokens_are_verified_again():
    issuer = Issuer(ISSUER, AUDIENCE, frozenset({"RS256"}), "https://login.example/jwks.json")
    issuers, good = {ISSUER: issuer}, token()
    tokens = Tokens(lambda: issuers, Keys(RSA), lambda: NOW)
    assert await tokens.subject(good) is not None
    issuers[ISSUER] = replace(issuer, audience="another")
    assert await tokens.subject(good) is not None
    tokens.forget()
    assert await tokens.subject(good) is None


class TestKeys:
    @pytest.fixture
    def now(self):
        return [0.0]

    @pytest.fixture
    def keys(self):
        return Keys(RSA)

    @pytest.fixture
    def key_set(self, keys, now):
        return KeySet("https://login.example/jwks.json", keys, lambda: now[0])

    async def test_old_keys_are_refreshed_while_nobody_waits(self, key_set, keys, now, eventually):
        await key_set.key("rsa-1")
        keys.content = published(EC)
        now[0] += module.FRESH_SECONDS + 1
        assert await key_set.key("rsa-1") is not None
        await eventually(lambda: keys.fetches == 2)
        await eventually(lambda: key_set._refreshing is None)
        assert await key_set.key("rsa-1") is None

    @pytest.mark.parametrize(
        "content", [None, b"nonsense", b"{}", b"[" * 100_000, b'{"keys": []}', b'{"keys": [{"kty": []}]}']
    )
    async def test_an_issuer_in_trouble_leaves_the_keys_that_are_known(self, key_set, keys, now, eventually, content):
        await key_set.key("rsa-1")
        keys.is_away, keys.content = content is None, content
        now[0] += module.FRESH_SECONDS + 1
        assert await key_set.key("rsa-1") is not None
        await eventually(lambda: key_set._refreshing is None)
        assert await key_set.key("rsa-1") is not None

    @pytest.mark.parametrize(
        "trouble", [httpx.RemoteProtocolError("garbage"), httpx.InvalidURL("no"), OSError(), TimeoutError()]
    )
    async def test_keys_that_were_never_read_are_unavailable(self, key_set, keys, trouble):
        keys.is_away, keys.trouble = True, trouble
        assert await key_set.key("rsa-1") == KeysUnavailable(module.PAUSE_SECONDS)

    async def test_keys_that_were_never_read_are_fetched_again_after_the_pause(self, key_set, keys, now):
        keys.is_away = True
        assert isinstance(await key_set.key("rsa-1"), KeysUnavailable)
        keys.is_away = False
        now[0] += 4
        assert await key_set.key("rsa-1") == KeysUnavailable(module.PAUSE_SECONDS - 4)
        now[0] += module.PAUSE_SECONDS
        assert isinstance(await key_set.key("rsa-1"), jwk.RSAKey)

    async def test_a_request_that_leaves_does_not_end_the_fetch_of_the_others(self, keys, eventually):
        answers, asked = threading.Event(), []

        def answer_later(place):
            asked.append(place)
            answers.wait(20)
            return keys(place)

        key_set = KeySet("https://login.example/jwks.json", answer_later, lambda: 0.0)
        first, second = (asyncio.create_task(key_set.key("rsa-1")) for _ in range(2))
        await eventually(lambda: asked)
        first.cancel()
        await asyncio.wait({first})
        answers.set()
        assert isinstance(await second, jwk.RSAKey)
        assert len(asked) == 1

    async def test_without_an_id_only_a_single_key_will_do(self, keys, now):
        assert await KeySet("x", Keys(RSA), lambda: 0).key(None) is not None
        assert await KeySet("x", Keys(RSA, EC), lambda: 0).key(None) is None

    def test_only_asymmetric_signing_keys_are_taken(self):
        encrypting = jwk.RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
        shared = jwk.OctKey.generate_key(256, {"kid": "oct"})
        content = json.dumps(
            {
                "keys": [
                    encrypting.as_dict(private=False),
                    shared.as_dict(private=True),
                    EC.as_dict(private=False),
                    {"kty": "RSA"},
                    7,
                ]
            }
        )
        assert set(read_keys(content.encode())) == {"ec-1"}
