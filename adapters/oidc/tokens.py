"""Verification of JSON Web Tokens of known issuers, for services and people. A refusal is returned without a reason.

KeysUnavailable is no refusal: the token may be valid. A token that would be refused with any key gets None, not that.

It checks issuer, audience, times, and an allow-list of asymmetric algorithms. The hash of a valid token is remembered
for a minute, so that a busy caller costs one verification a minute.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from adapters.oidc.jwks import Fetch, KeySet, KeysUnavailable, fetch
from adapters.oidc.people import Person, PersonClaims, read_person
from runtime.credentials.json_web_token import unverified_part

LEEWAY_SECONDS = 30
REMEMBERED_SECONDS = 60.0
MOST_REMEMBERED = 10_000
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer whose tokens are accepted; `keys` is a URL or a file. Without `people` it has services only."""

    url: str
    audience: str
    algorithms: frozenset[str]
    keys: str
    people: PersonClaims | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a valid token, and the person that its claims describe. Issuer and name identify it."""

    issuer: str
    name: str
    person: Person | None = field(default=None, compare=False)


class Tokens:
    """Verifies tokens; keeps the issuers' key sets and the subjects of recently valid tokens."""

    def __init__(
        self,
        issuers: Callable[[], dict[str, Issuer]],
        fetch_from: Fetch = fetch,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuers = issuers
        self._fetch = fetch_from
        self._clock = clock
        self._key_sets: dict[str, KeySet] = {}
        self._valid: OrderedDict[bytes, tuple[Subject, float]] = OrderedDict()

    async def subject(self, token: str) -> Subject | KeysUnavailable | None:
        """Return the subject of a valid token; None for any other token."""
        now = self._clock()
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        remembered = self._valid.get(digest)
        if remembered is not None and now < remembered[1] and remembered[0].issuer in self._issuers():
            return remembered[0]
        verified = await self._verified(token, now)
        if verified is None or isinstance(verified, KeysUnavailable):
            return verified
        issuer, claims = verified
        name = claims["sub"]
        if not isinstance(name, str):
            return None
        person = None if issuer.people is None else read_person(claims, issuer.people, issuer.url)
        subject = Subject(issuer.url, name, person)
        self._valid[digest] = (subject, min(now + REMEMBERED_SECONDS, claims["exp"]))
        if len(self._valid) > MOST_REMEMBERED:
            self._valid.popitem(last=False)
        return subject

    async def claims(self, token: str) -> dict[str, Any] | KeysUnavailable | None:
        """Return all claims of a valid token. Nothing is remembered: an ID token is checked once."""
        verified = await self._verified(token, self._clock())
        return verified[1] if isinstance(verified, tuple) else verified

    async def _verified(self, token: str, now: float) -> tuple[Issuer, dict[str, Any]] | KeysUnavailable | None:
        header, claims = unverified_part(token, 0), unverified_part(token, 1)
        name, algorithm, kid = claims.get("iss"), header.get("alg"), header.get("kid")
        if not isinstance(name, str) or not isinstance(algorithm, str) or not isinstance(kid, str | None):
            return None
        issuer = self._issuers().get(name)
        if issuer is None or algorithm not in issuer.algorithms or not _are_valid(claims, issuer, now):
            return None
        key_set = self._key_sets.get(issuer.keys)
        if key_set is None:
            key_set = self._key_sets[issuer.keys] = KeySet(issuer.keys, self._fetch)
        key = await key_set.key(kid)
        if key is None or isinstance(key, KeysUnavailable):
            return key
        try:
            signed = jwt.decode(token, key, algorithms=sorted(issuer.algorithms)).claims
        except (JoseError, ValueError, TypeError):
            return None
        return (issuer, signed) if _are_valid(signed, issuer, now) else None

    def forget(self) -> None:
        """Forget all verified tokens, because the callers file has changed."""
        self._valid.clear()


def _are_valid(claims: dict[str, Any], issuer: Issuer, now: float) -> bool:
    checks = jwt.JWTClaimsRegistry(
        now=int(now),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": issuer.url},
        aud={"essential": True, "value": issuer.audience},
        sub={"essential": True},
        exp={"essential": True},
    )
    try:
        checks.validate(claims)
    except (JoseError, ValueError, TypeError):
        return False
    return True
