"""Who may ask for what: the callers' file (TOML), read whole or not at all, and read again when it changes.

    [[caller]]
    name = "scheduling"
    permissions = ["handoff:request", "handoff:close", "authorization:watch"]
    rate_per_second = 50            # optional, with burst; else the process's settings
    [[caller.key]]
    id = "sch2026a"
    sha256 = "…"                    # of the whole key, in hex
    expires = 2027-01-01T00:00:00Z  # optional

Keys are 256 random bits, so a plain sha256 can't be searched. Invariant: no key is kept, only its hash.
"""

import hashlib
import hmac
import re
import secrets
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

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


class CallersInvalid(Exception):
    """The callers' file can't be used; the message lists every problem and shows no value of it."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


KeyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{4,32}$")]


class KeyEntry(_Entry):
    """A key's id, its hash, and until when it holds."""

    id: KeyId
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    expires: AwareDatetime | None = None


class CallerEntry(_Entry):
    """One caller of the file."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    permissions: frozenset[Permission] = Field(min_length=1)
    rate_per_second: Annotated[float, Field(gt=0)] | None = None
    burst: Annotated[int, Field(ge=1)] | None = None
    key: tuple[KeyEntry, ...] = ()


class _File(_Entry):
    caller: tuple[CallerEntry, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [entry.name for entry in self.caller]
        ids = [key.id for entry in self.caller for key in entry.key]
        if len(set(names)) != len(names) or len(set(ids)) != len(ids):
            raise ValueError("a caller's name or a key's id stands twice")
        return self


@dataclass(frozen=True, slots=True)
class _Key:
    digest: bytes
    expires_at: float | None
    caller: Caller


class Callers:
    """The callers of one reading of the file; immutable."""

    def __init__(self, entries: tuple[CallerEntry, ...]) -> None:
        self._keys: dict[str, _Key] = {}
        self.names = frozenset(entry.name for entry in entries)
        for entry in entries:
            caller = Caller(entry.name, entry.permissions, entry.rate_per_second, entry.burst)
            for key in entry.key:
                expires_at = key.expires.timestamp() if key.expires else None
                self._keys[key.id] = _Key(bytes.fromhex(key.sha256), expires_at, caller)

    def by_key(self, presented: str, now: float) -> Caller | None:
        """Return whose key this is. An unknown id costs the same hash and comparison as a wrong key."""
        parts = presented.split("_", 2)
        key = self._keys.get(parts[1]) if len(parts) == 3 and parts[0] == KEY_PREFIX else None
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        is_right = hmac.compare_digest(digest, key.digest if key else _NO_SUCH_KEY)
        if key is None or not is_right or (key.expires_at is not None and now >= key.expires_at):
            return None
        return key.caller

    def __len__(self) -> int:
        return len(self.names)


def read_callers(content: bytes) -> Callers:
    """Read the file's content; raises CallersInvalid with every problem."""
    try:
        document = tomllib.loads(content.decode("utf-8"))
        return Callers(_File.model_validate(document).caller)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise CallersInvalid("not TOML in UTF-8") from None
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, found['loc'])) or 'file'}: {found['msg']}"
            for found in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise CallersInvalid("; ".join(wrong)) from None


class CallersFile:
    """The file and its last good reading. `current` never fails; a bad file leaves the old reading in place."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises CallersInvalid, because a process without callers serves nobody."""
        self._path = path
        self._seen = self._signature()
        self.current = self._read()
        self.problem: str | None = None

    def reread_if_changed(self) -> bool:
        """Look at the file, and read it if it is another one than last time. True if the callers are new.

        A mounted secret changes by a swapped link, so the file behind the name counts: its inode, size and time.
        """
        signature = self._signature()
        if signature == self._seen:
            return False
        self._seen = signature
        try:
            self.current = self._read()
        except CallersInvalid as error:
            self.problem = str(error)
            return False
        self.problem = None
        return True

    def _read(self) -> Callers:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise CallersInvalid(f"can't be read: {error.strerror}") from None
        return read_callers(content)

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_size, stat.st_mtime_ns


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


def is_key(credential: str) -> bool:
    """Whether a bearer credential is one of our API keys, by its looks."""
    return re.match(rf"{KEY_PREFIX}_", credential) is not None
