"""The callers of one version of the callers file, by API key, token subject and name; the people by their claims.

A key has 256 random bits, so its plain sha256 can't be reversed by search. Invariant: only the hash of a key is stored.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from adapters.oidc.people import Person
from adapters.oidc.tokens import Issuer, Subject
from gateway.ingress.auth.second_factor import SecondFactor
from schemas.callers import caller_of_person
from schemas.fields.signing_secret import WRITTEN_PREFIX
from schemas.permissions import COMMAND_PERMISSIONS, Permission

KEY_PREFIX = "cgk"
_UNKNOWN_KEY_DIGEST = bytes(32)


# A signature is accepted for commands only (`signed_commands`).
SIGNED_PERMISSIONS = frozenset(COMMAND_PERMISSIONS.values())


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated service or person. Without `rate` and `burst` the settings of the process apply.

    `person` is a person's own name, from the token; None for a service. `own_handoffs`: the service may close, and get
    links into, only the handoffs that it opened.
    """

    name: str
    permissions: frozenset[Permission]
    rate: float | None = None
    burst: float | None = None
    person: str | None = None
    own_handoffs: bool = False
    second_factor: SecondFactor | None = None
    acr: str | None = None
    signed_in_at: float | None = None


@dataclass(frozen=True, slots=True)
class HashedKey:
    """An API key as the callers file has it. `expires_at` is a Unix time."""

    key_id: str
    digest: bytes
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one caller."""

    caller: Caller
    keys: tuple[HashedKey, ...] = ()
    subjects: tuple[Subject, ...] = ()
    signing_secrets: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class People:
    """The people of one issuer: the prefix of their names as callers, and the permissions of their groups."""

    prefix: str
    permissions: Mapping[str, frozenset[Permission]]
    rate: float | None = None
    burst: float | None = None
    second_factor: SecondFactor | None = None

    def caller(self, person: Person) -> Caller:
        """Return the caller that a person is. A person in no known group has no permission."""
        permissions = frozenset[Permission]().union(*(self.permissions.get(group, ()) for group in person.groups))
        return Caller(
            caller_of_person(self.prefix, person.name),
            permissions,
            self.rate,
            self.burst,
            person.name,
            second_factor=self.second_factor,
            acr=person.acr,
            signed_in_at=person.signed_in_at,
        )


class Callers:
    """The callers of one version of the file. Immutable. `people` is by issuer."""

    def __init__(
        self,
        credentials: Iterable[Credentials] = (),
        issuers: Iterable[Issuer] = (),
        people: Mapping[str, People] = MappingProxyType({}),
    ) -> None:
        credentials = tuple(credentials)
        self.names = frozenset(entry.caller.name for entry in credentials)
        self.issuers = {issuer.url: issuer for issuer in issuers}
        self._keys = {key.key_id: (key, entry.caller) for entry in credentials for key in entry.keys}
        self._subjects = {subject: entry.caller for entry in credentials for subject in entry.subjects}
        self._people = people
        self.pools = len(self.names) + len({group.prefix for group in people.values()})
        self._by_name = {entry.caller.name: entry for entry in credentials}

    def by_key(self, presented: str, now: float) -> Caller | None:
        """Return the caller of a key. An unknown key id takes the same hash and comparison as a wrong key."""
        parts = presented.split("_", 2)
        found = self._keys.get(parts[1]) if len(parts) == 3 and parts[0] == KEY_PREFIX else None
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        is_valid = hmac.compare_digest(digest, found[0].digest if found else _UNKNOWN_KEY_DIGEST)
        if found is None or not is_valid:
            return None
        key, caller = found
        return caller if key.expires_at is None or now < key.expires_at else None

    def by_subject(self, subject: Subject) -> Caller | None:
        """Return the caller of a verified token's subject: a service that the file names, or else a person."""
        caller, people = self._subjects.get(subject), self._people.get(subject.issuer)
        if caller is not None or people is None or subject.person is None:
            return caller
        return people.caller(subject.person)

    def signer(self, name: str) -> Credentials | None:
        """Return the credentials of a caller that signs its requests."""
        found = self._by_name.get(name)
        return found if found is not None and found.signing_secrets else None

    def unusable_permissions(self) -> dict[str, list[Permission]]:
        """Return, by caller, the permissions that it cannot use because its only credential is a signature."""
        found = {
            name: sorted(each.caller.permissions - SIGNED_PERMISSIONS)
            for name, each in self._by_name.items()
            if each.signing_secrets and not each.keys and not each.subjects
        }
        return {name: permissions for name, permissions in found.items() if permissions}

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key. `key` is for the service and shown once; `entry` is for the callers file."""

    key: str
    entry: str


def new_signing_secret() -> str:
    """Create a secret in the notation of Standard Webhooks."""
    return WRITTEN_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def new_key(now: datetime | None = None) -> NewKey:
    """Create a key and the TOML lines for its caller's entry."""
    created_at = now or datetime.now(UTC)
    key_id = f"{created_at:%y%m%d}{secrets.token_hex(4)}"
    key = f"{KEY_PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    return NewKey(key, f'[[caller.key]]\nid = "{key_id}"\nsha256 = "{digest}"\n')
