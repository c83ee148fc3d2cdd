"""The callers file (TOML). It is read again when it or a secret file changes; an invalid version is ignored as a whole.

[[issuer]]                      # an issuer whose tokens are accepted
url = "https://login.example"
audience = "collate-gateway"
algorithms = ["RS256"]          # asymmetric algorithms only
keys = "https://login.example/jwks.json"    # or a path

[[caller]]
name = "scheduling"
permissions = ["handoff:request", "handoff:close", "authorization:watch"]
handoffs = "own"                # optional: close, and grants, only for the handoffs that this caller opened
rate_per_second = 50            # optional, with burst; default: the settings of the process
[[caller.key]]                  # API keys; several are possible
id = "sch2026a"
sha256 = "…"                    # of the whole key, in hex
expires = 2027-01-01T00:00:00Z  # optional
[[caller.token]]                # tokens with this subject
issuer = "https://login.example"
subject = "scheduling-client"
[[caller.signature]]            # secrets of Standard Webhooks, for structured CloudEvents to POST /v1/commands only
secret_file = "/run/secrets/scheduling"

[[people]]                      # the people of an issuer, with permissions by group (docs/decisions/0011)
issuer = "https://login.example"
prefix = "people"               # default; they are callers with the names people:<name>
name = "preferred_username"     # the claims of their tokens
groups = "groups"
rate_per_second = 20            # optional, with burst; of one person
acr = ["urn:example:mfa"]       # optional: a second factor, for links and patients' data
max_age = 3600                  # optional: seconds since the sign-in, for the same
[people.permissions]
on-call = ["authorization:read", "operate"]
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from adapters.oidc.people import PersonClaims
from adapters.oidc.tokens import ALGORITHMS, Issuer, Subject
from gateway.ingress.auth.callers import Caller, Callers, Credentials, HashedKey, People
from gateway.ingress.auth.second_factor import SecondFactor
from runtime.toml_file import TomlFile, parse, signing_secret
from schemas.permissions import OWN_HANDOFFS, Permission

_KEYS_LOCATION = re.compile(r"https://.+|http://(127\.0\.0\.1|localhost)[:/].*|/.+")


# A value goes into a quoted text of a header, in a list with spaces.
AcrValue = Annotated[str, StringConstraints(pattern=r"^[!#-\[\]-~]{1,200}$")]


def _algorithm(value: str) -> str:
    if value not in ALGORITHMS:
        raise ValueError(f"expected one of {', '.join(sorted(ALGORITHMS))}")
    return value


def _keys_location(value: str) -> str:
    if not _KEYS_LOCATION.fullmatch(value):
        raise ValueError("expected an https URL or the absolute path of a file")
    return value


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class IssuerEntry(_Entry):
    """An issuer and the rules for its tokens."""

    url: Annotated[str, StringConstraints(min_length=1)]
    audience: Annotated[str, StringConstraints(min_length=1)]
    algorithms: frozenset[Annotated[str, AfterValidator(_algorithm)]] = Field(min_length=1)
    keys: Annotated[str, AfterValidator(_keys_location)]


class KeyEntry(_Entry):
    """An API key: id, hash and expiry."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{4,32}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    expires: AwareDatetime | None = None


class TokenEntry(_Entry):
    """A subject of one of the file's issuers."""

    issuer: str
    subject: Annotated[str, StringConstraints(min_length=1)]


class SignatureEntry(_Entry):
    """A signing secret in a separate file. It opens `POST /v1/commands` in structured mode, and nothing else."""

    secret_file: Path


class CallerEntry(_Entry):
    """A caller and its credentials."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    permissions: frozenset[Permission] = Field(min_length=1)
    handoffs: Literal["own"] | None = None
    rate_per_second: Annotated[float, Field(gt=0)] | None = None
    burst: Annotated[int, Field(ge=1)] | None = None
    key: tuple[KeyEntry, ...] = ()
    token: tuple[TokenEntry, ...] = ()
    signature: tuple[SignatureEntry, ...] = ()


class PeopleEntry(_Entry):
    """The people of one of the file's issuers: the claims that describe them, and the permissions of their groups."""

    issuer: str
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")] = "people"
    name: Annotated[str, StringConstraints(min_length=1)]
    groups: Annotated[str, StringConstraints(min_length=1)]
    permissions: dict[str, frozenset[Permission]] = Field(min_length=1)
    rate_per_second: Annotated[float, Field(gt=0)] | None = None
    burst: Annotated[int, Field(ge=1)] | None = None
    acr: tuple[AcrValue, ...] = Field(default=(), max_length=8)
    max_age: Annotated[int, Field(ge=60)] | None = None

    @property
    def second_factor(self) -> SecondFactor | None:
        """The demanded sign-in for links and patients' data."""
        return SecondFactor(self.acr, self.max_age) if self.acr or self.max_age is not None else None

    @property
    def claims(self) -> PersonClaims:
        """The claims to read from a token."""
        return PersonClaims(self.name, self.groups, frozenset(self.permissions))


class _File(_Entry):
    issuer: tuple[IssuerEntry, ...] = ()
    caller: tuple[CallerEntry, ...] = ()
    people: tuple[PeopleEntry, ...] = ()

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        urls = [entry.url for entry in self.issuer]
        names = [entry.name for entry in self.caller]
        ids = [key.id for entry in self.caller for key in entry.key]
        subjects = [(token.issuer, token.subject) for entry in self.caller for token in entry.token]
        people, prefixes = [entry.issuer for entry in self.people], [entry.prefix for entry in self.people]
        for name, values in (
            ("an issuer's url", urls),
            ("a caller's name", names),
            ("a key's id", ids),
            ("an issuer of people", people),
            ("a prefix of people", prefixes),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"{name} occurs twice")
        if len(set(subjects)) != len(subjects):
            raise ValueError("a subject belongs to two callers")
        if not {issuer for issuer, _ in subjects} <= set(urls):
            raise ValueError("a token names an issuer that is not in the file")
        if not set(people) <= set(urls):
            raise ValueError("an entry of people names an issuer that is not in the file")
        return self


def read_callers(content: bytes) -> Callers:
    """Parse the content of the file and read its secret files. Raises TomlInvalid with every problem."""
    return _callers(parse(_File, content))


def _callers(file: _File) -> Callers:
    claims = {entry.issuer: entry.claims for entry in file.people}
    issuers = [
        Issuer(entry.url, entry.audience, entry.algorithms, entry.keys, claims.get(entry.url)) for entry in file.issuer
    ]
    people = {
        entry.issuer: People(entry.prefix, entry.permissions, entry.rate_per_second, entry.burst, entry.second_factor)
        for entry in file.people
    }
    return Callers([_credentials(entry) for entry in file.caller], issuers, people)


def _credentials(entry: CallerEntry) -> Credentials:
    return Credentials(
        caller=Caller(
            entry.name,
            entry.permissions,
            entry.rate_per_second,
            entry.burst,
            own_handoffs=entry.handoffs == OWN_HANDOFFS,
        ),
        keys=tuple(
            HashedKey(key.id, bytes.fromhex(key.sha256), key.expires.timestamp() if key.expires else None)
            for key in entry.key
        ),
        subjects=tuple(Subject(token.issuer, token.subject) for token in entry.token),
        signing_secrets=tuple(signing_secret(signature.secret_file) for signature in entry.signature),
    )


def _secret_files(file: _File) -> list[Path]:
    return [signature.secret_file for entry in file.caller for signature in entry.signature]


class CallersFile(TomlFile[_File, Callers]):
    """The file and its last valid version."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises TomlInvalid, because a process without callers is useless."""
        super().__init__(path, _File, files=_secret_files, make=_callers)
