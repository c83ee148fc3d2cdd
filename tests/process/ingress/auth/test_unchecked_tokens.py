"""401 is for wrong credentials, 503 for a token that cannot be checked. The issuers' keys come over HTTP."""

import asyncio
import threading

import pytest
from joserfc import jwk, jwt

from adapters.oidc import jwks
from local.issuer import ALGORITHM, LocalIssuer

REQUEST = "/v1/authorizations/auth_1/handoffs"
UNCHECKED, UNAUTHENTICATED = (503, "credentials-unchecked"), (401, "unauthenticated")
GARBAGE = ["..", "a.b.c", "e30.e30.x", "no token"]


class Issuer(LocalIssuer):
    """An issuer whose key set can fail; counts its fetches."""

    fault = None

    def __init__(self):
        super().__init__()
        self.fetches = 0
        self.ends_silence = threading.Event()

    def document(self, path):
        self.fetches += 1
        if self.fault == "silent":
            self.ends_silence.wait(60)
        return {None: super().document(path), "not found": None, "no keys": {"keys": []}, "no set": {}}.get(self.fault)

    def __exit__(self, *arguments):
        self.ends_silence.set()
        super().__exit__(*arguments)


@pytest.fixture
def issuer():
    with Issuer() as issuer:
        yield issuer


@pytest.fixture
def ingress(ingress, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 30.0)  # a busy machine answers late
    with_issuers(ingress, issuer)
    return ingress


def with_issuers(ingress, *issuers):
    entries = [
        issuer.callers_file_entry({"staff": ["authorization:read", "handoff:request"]}, prefix=f"people{number}")
        for number, issuer in enumerate(issuers)
    ]
    services = ingress.callers_file.read_text().partition("[[issuer]]")[0]
    ingress.use_callers(services + "\n".join(entries))


def forged(issuer, kid):
    """Return a token of a stranger that names the issuer and a key."""
    claims = jwt.decode(issuer.token("jo", ["staff"]), issuer_key(issuer), algorithms=[ALGORITHM]).claims
    key = jwk.ECKey.generate_key("P-256", {"kid": kid})
    return jwt.encode({"alg": ALGORITHM, "kid": kid}, claims, key, algorithms=[ALGORITHM])


def issuer_key(issuer):
    return jwk.import_key(LocalIssuer.document(issuer, "/jwks.json")["keys"][0])


def answer_of(reply):
    return reply.status, reply.json["type"].rpartition(":")[2] if reply.status >= 400 else None


async def me(ingress, token):
    return await ingress.get("/v1/me", authorization=f"Bearer {token}")


@pytest.mark.parametrize("fault", ["not found", "no keys", "no set", "silent"])
@pytest.mark.parametrize(
    ("was_read", "now_fails", "expected"),
    [
        (False, True, {"valid": UNCHECKED, "wrong key": UNCHECKED, "unknown key": UNCHECKED}),
        (True, False, {"valid": (200, None), "wrong key": UNAUTHENTICATED, "unknown key": UNAUTHENTICATED}),
        (True, True, {"valid": (200, None), "wrong key": UNAUTHENTICATED, "unknown key": UNCHECKED}),
    ],
)
async def test_a_token_gets_401_only_if_it_is_wrong(
    ingress, issuer, fault, was_read, *, now_fails, expected, monkeypatch
):
    if was_read:
        assert answer_of(await me(ingress, issuer.token("first", ["staff"]))) == (200, None)
    if now_fails:
        issuer.fault = fault
        monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.5 if fault == "silent" else 30.0)
    tokens = {
        "valid": issuer.token("jo", ["staff"]),
        "wrong key": forged(issuer, "local-1"),
        "unknown key": forged(issuer, "rotated"),
    }
    # The unknown key comes first: it makes the ingress fetch the keys again.
    found = {name: await me(ingress, tokens[name]) for name in ("unknown key", "valid", "wrong key")}
    assert {name: answer_of(reply) for name, reply in found.items()} == expected
    for reply in found.values():
        assert ("retry-after" in reply.headers) == (reply.status == 503)
    always_wrong = [issuer.token("jo", exp=1_000), issuer.token("jo", aud="other"), issuer.token("jo", sub=None)]
    with LocalIssuer() as stranger:
        always_wrong.append(stranger.token("jo", ["staff"]))
    for token in (*always_wrong, *GARBAGE):
        assert answer_of(await me(ingress, token)) == UNAUTHENTICATED
    assert answer_of(await ingress.get("/v1/me", authorization=None)) == UNAUTHENTICATED
    assert (await ingress.get("/v1/me")).status == 200, "an API key needs no issuer"


async def test_a_command_whose_token_cannot_be_checked_is_not_stored(ingress, issuer, kafka):
    issuer.fault = "not found"
    token = issuer.token("jo", ["staff"])
    reply = await ingress.post(REQUEST, key="k-1", authorization=f"Bearer {token}")
    assert answer_of(reply) == UNCHECKED
    assert reply.json["kept"] == "no"
    assert int(reply.headers["retry-after"]) >= 1
    assert kafka.commands == []
    issuer.fault = None
    assert (await ingress.post(REQUEST, key="k-1", authorization=f"Bearer {token}")).status == 202


async def test_forged_keys_cause_neither_503_nor_a_storm_while_the_issuer_answers(ingress, issuer, monkeypatch):
    monkeypatch.setattr(jwks, "PAUSE_SECONDS", 600.0)
    assert (await me(ingress, issuer.token("first", ["staff"]))).status == 200
    replies = await asyncio.gather(*(me(ingress, forged(issuer, f"forged-{number}")) for number in range(50)))
    assert {answer_of(reply) for reply in replies} == {UNAUTHENTICATED}
    assert (await me(ingress, issuer.token("jo", ["staff"]))).status == 200
    assert issuer.fetches == 1


async def test_a_slow_issuer_delays_no_token_whose_key_is_known(ingress, issuer, eventually, monkeypatch):
    assert (await me(ingress, issuer.token("first", ["staff"]))).status == 200
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 30.0)
    issuer.fault = "silent"
    waits = [asyncio.create_task(me(ingress, forged(issuer, f"forged-{number}"))) for number in range(20)]
    await eventually(lambda: issuer.fetches == 2)
    assert (await me(ingress, issuer.token("jo", ["staff"]))).status == 200
    assert not any(wait.done() for wait in waits)
    issuer.fault = None
    issuer.ends_silence.set()
    assert {answer_of(reply) for reply in await asyncio.gather(*waits)} == {UNAUTHENTICATED}
    assert issuer.fetches == 2


async def test_a_token_that_finds_no_place_to_wait_for_the_keys_is_unchecked(ingress, issuer, eventually, monkeypatch):
    """The last fetch succeeded, and the next one runs: it may bring the key of the token."""
    assert (await me(ingress, issuer.token("first", ["staff"]))).status == 200
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 30.0)
    monkeypatch.setattr(jwks, "MOST_WAITING", 3)
    issuer.fault = "silent"
    waits = [asyncio.create_task(me(ingress, forged(issuer, f"forged-{number}"))) for number in range(3)]
    await eventually(lambda: issuer.fetches == 2)
    refused = await me(ingress, forged(issuer, "rotated"))
    assert answer_of(refused) == UNCHECKED
    assert int(refused.headers["retry-after"]) >= 1
    assert not any(wait.done() for wait in waits)
    issuer.fault = None
    issuer.ends_silence.set()
    assert {answer_of(reply) for reply in await asyncio.gather(*waits)} == {UNAUTHENTICATED}


async def test_one_issuer_that_fails_leaves_the_tokens_of_another(ingress, issuer):
    with Issuer() as other:
        with_issuers(ingress, issuer, other)
        other.fault = "not found"
        assert answer_of(await me(ingress, other.token("jo", ["staff"]))) == UNCHECKED
        assert (await me(ingress, issuer.token("jo", ["staff"]))).status == 200
        assert answer_of(await me(ingress, forged(issuer, "unknown"))) == UNAUTHENTICATED
