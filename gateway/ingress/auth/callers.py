"""Who may ask for what: the callers of one reading of the callers' file, found by key, token or name.

Keys are 256 random bits, so a plain sha256 can't be searched. Invariant: no key is kept, only its hash.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from adapters.oidc.tokens import Issuer, Subject

KEY_PREFIX = "cgk"
_NO_SUCH_KEY = bytes(32)


class Permission(StrEnum):
    """What a caller may do."""

    HANDOFF_REQUEST = "handoff:request"
    HANDOFF_CLOSE = "handoff:close"
    HANDOFF_GRANT = "handoff:grant"
    AUTHORIZATION_WATCH = "authorization:watch"
    AUTHORIZATION_READ = "authorization:read"
    AUTHORIZATION_REVIEW = "authorization:review"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """A service that asked, once it is known."""

    name: str
    permissions: frozenset[Permission]
    rate: float | None = None
    burst: float | None = None


@dataclass(frozen=True, slots=True)
class HashedKey:
    """An API key as the file knows it."""

    key_id: str
    digest: bytes
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """All the ways in which one caller shows who it is."""

    caller: Caller
    keys: tuple[HashedKey, ...] = ()
    subjects: tuple[Subject, ...] = ()
    signing_secrets: tuple[bytes, ...] = ()


class Callers:
    """The callers of one reading of the file; immutable."""

    def __init__(self, everybody: Iterable[Credentials] = (), issuers: Iterable[Issuer] = ()) -> None:
        everybody = tuple(everybody)
        self.names = frozenset(each.caller.name for each in everybody)
        self.issuers = {issuer.url: issuer for issuer in issuers}
        self._keys = {key.key_id: (key, each.caller) for each in everybody for key in each.keys}
        self._subjects = {subject: each.caller for each in everybody for subject in each.subjects}
        self._by_name = {each.caller.name: each for each in everybody}

    def by_key(self, presented: str, now: float) -> Caller | None:
        """Return whose key this is. An unknown id costs the same hash and comparison as a wrong key."""
        parts = presented.split("_", 2)
        found = self._keys.get(parts[1]) if len(parts) == 3 and parts[0] == KEY_PREFIX else None
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        is_right = hmac.compare_digest(digest, found[0].digest if found else _NO_SUCH_KEY)
        if found is None or not is_right:
            return None
        key, caller = found
        return caller if key.expires_at is None or now < key.expires_at else None

    def by_subject(self, subject: Subject) -> Caller | None:
        """Return whom a good token is about."""
        return self._subjects.get(subject)

    def signer(self, name: str) -> Credentials | None:
        """Return a caller that signs its requests, with its secrets."""
        found = self._by_name.get(name)
        return found if found is not None and found.signing_secrets else None

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: `key` is for the service and shown once, the entry is for the file."""

    key: str
    entry: str


def new_key(now: datetime | None = None) -> NewKey:
    """Make a key and the TOML lines under which a caller's entry knows it."""
    made_at = now or datetime.now(UTC)
    key_id = f"{made_at:%y%m%d}{secrets.token_hex(4)}"
    key = f"{KEY_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    return NewKey(key, f'[[caller.key]]\nid = "{key_id}"\nsha256 = "{digest}"\n')
