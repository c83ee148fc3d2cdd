"""The callers' file (TOML): read whole or not at all, and read again when it or a secret that it names changes.

[[issuer]]                      # whose tokens are taken
url = "https://login.example"
audience = "collate-gateway"
algorithms = ["RS256"]          # asymmetric ones only
keys = "https://login.example/jwks.json"    # or a file

[[caller]]
name = "scheduling"
permissions = ["handoff:request", "handoff:close", "authorization:watch"]
rate_per_second = 50            # optional, with burst; else the process's settings
[[caller.key]]                  # API keys, several
id = "sch2026a"
sha256 = "…"                    # of the whole key, in hex
expires = 2027-01-01T00:00:00Z  # optional
[[caller.token]]                # tokens about this subject
issuer = "https://login.example"
subject = "scheduling-client"
[[caller.signature]]            # Standard Webhooks, several
secret_file = "/run/secrets/scheduling"
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from adapters.oidc.tokens import ALGORITHMS, Issuer, Subject
from gateway.ingress.auth.callers import Caller, Callers, Credentials, HashedKey, Permission
from gateway.ingress.auth.signatures import SecretInvalid, read_secret
from runtime.file_watcher import FileWatcher

_KEYS_PLACE = re.compile(r"https://.+|http://(127\.0\.0\.1|localhost)[:/].*|/.+")


class CallersInvalid(Exception):
    """The callers' file can't be used; the message lists every problem and shows no value of it."""


def _algorithm(value: str) -> str:
    if value not in ALGORITHMS:
        raise ValueError(f"expected one of {', '.join(sorted(ALGORITHMS))}")
    return value


def _keys_place(value: str) -> str:
    if not _KEYS_PLACE.fullmatch(value):
        raise ValueError("expected an https URL or the absolute path of a file")
    return value


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class IssuerEntry(_Entry):
    """Whose tokens are taken, and on what terms."""

    url: Annotated[str, StringConstraints(min_length=1)]
    audience: Annotated[str, StringConstraints(min_length=1)]
    algorithms: frozenset[Annotated[str, AfterValidator(_algorithm)]] = Field(min_length=1)
    keys: Annotated[str, AfterValidator(_keys_place)]


class KeyEntry(_Entry):
    """A key's id, its hash, and until when it holds."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{4,32}$")]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    expires: AwareDatetime | None = None


class TokenEntry(_Entry):
    """A subject of an issuer above."""

    issuer: str
    subject: Annotated[str, StringConstraints(min_length=1)]


class SignatureEntry(_Entry):
    """A signing secret, in a file of its own."""

    secret_file: Path


class CallerEntry(_Entry):
    """One caller of the file."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    permissions: frozenset[Permission] = Field(min_length=1)
    rate_per_second: Annotated[float, Field(gt=0)] | None = None
    burst: Annotated[int, Field(ge=1)] | None = None
    key: tuple[KeyEntry, ...] = ()
    token: tuple[TokenEntry, ...] = ()
    signature: tuple[SignatureEntry, ...] = ()


class _File(_Entry):
    issuer: tuple[IssuerEntry, ...] = ()
    caller: tuple[CallerEntry, ...] = ()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        urls = [entry.url for entry in self.issuer]
        names = [entry.name for entry in self.caller]
        ids = [key.id for entry in self.caller for key in entry.key]
        subjects = [(token.issuer, token.subject) for entry in self.caller for token in entry.token]
        for what, values in (("issuer's url", urls), ("caller's name", names), ("key's id", ids)):
            if len(set(values)) != len(values):
                raise ValueError(f"a {what} stands twice")
        if len(set(subjects)) != len(subjects):
            raise ValueError("a subject stands for two callers")
        if not {issuer for issuer, _ in subjects} <= set(urls):
            raise ValueError("a token names an issuer that is not in the file")
        return self


def read_callers(content: bytes) -> Callers:
    """Read the file's content, and the secrets that it names; raises CallersInvalid with every problem."""
    return _callers(_parse(content))


def _parse(content: bytes) -> _File:
    try:
        return _File.model_validate(tomllib.loads(content.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise CallersInvalid("not TOML in UTF-8") from None
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, found['loc'])) or 'file'}: {found['msg']}"
            for found in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise CallersInvalid("; ".join(wrong)) from None


def _callers(file: _File) -> Callers:
    issuers = [Issuer(entry.url, entry.audience, entry.algorithms, entry.keys) for entry in file.issuer]
    return Callers([_credentials(entry) for entry in file.caller], issuers)


def _credentials(entry: CallerEntry) -> Credentials:
    return Credentials(
        caller=Caller(entry.name, entry.permissions, entry.rate_per_second, entry.burst),
        keys=tuple(
            HashedKey(key.id, bytes.fromhex(key.sha256), key.expires.timestamp() if key.expires else None)
            for key in entry.key
        ),
        subjects=tuple(Subject(token.issuer, token.subject) for token in entry.token),
        signing_secrets=tuple(_secret(each.secret_file) for each in entry.signature),
    )


def _secret(path: Path) -> bytes:
    try:
        return read_secret(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CallersInvalid(f"{path}: can't be read: {error.strerror}") from None
    except (SecretInvalid, UnicodeDecodeError):
        raise CallersInvalid(f"{path}: expected whsec_ and the base64 of at least 24 bytes") from None


class CallersFile:
    """The file and its last good reading. `current` never fails; a bad file leaves the old reading in place."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises CallersInvalid, because a process without callers serves nobody."""
        self._path = path
        self._watcher = FileWatcher(path)
        self._watcher.changed()
        self.current = self._read()
        self.problem: str | None = None

    def reread_if_changed(self) -> bool:
        """Read the file and its secrets if one has changed; return whether the callers are new."""
        if not self._watcher.changed():
            return False
        try:
            self.current = self._read()
        except CallersInvalid as error:
            self.problem = str(error)
            return False
        self.problem = None
        return True

    def _read(self) -> Callers:
        """Read the file and the secrets that it names. A rejected file is read again once it or a secret changes."""
        self._watcher.mark_read()
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise CallersInvalid(f"can't be read: {error.strerror}") from None
        file = _parse(content)
        self._watcher.watch(self._path, *(each.secret_file for entry in file.caller for each in entry.signature))
        self._watcher.mark_read()
        return _callers(file)
