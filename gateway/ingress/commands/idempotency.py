"""The Idempotency-Key header (IETF draft, quoted and bare), and what this replica remembers of accepted commands.

Best effort by design: the worker always knows; a replica forgets the oldest. Bodies are kept as a keyed digest only.
"""

import hashlib
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from gateway.ingress.http.problem import Fault
from gateway.ingress.http.problems import InvalidHeader, KeyMissing

LONGEST_KEY = 255
_BARE = re.compile(rb"[!#-+\--\[\]-~]+")  # visible ASCII without the quote, comma and backslash of structured fields
_QUOTED = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPED = re.compile(rb'\\(["\\])')


def read_key(header: bytes | None) -> str:
    """Return the key; `"abc"` and `abc` are the same key. Raises KeyMissing or InvalidHeader."""
    if header is None:
        raise KeyMissing(
            "Send a fresh Idempotency-Key per command, and the same one again when you retry it.",
            faults=(Fault("required: 1 to 255 characters, quoted or bare", header="Idempotency-Key"),),
        )
    header = header.strip(b" \t")
    if quoted := _QUOTED.fullmatch(header):
        key = _ESCAPED.sub(rb"\1", quoted.group(1))
    elif _BARE.fullmatch(header):
        key = header
    else:
        raise _invalid("printable ASCII, in double quotes if it has spaces, commas or backslashes")
    if not 1 <= len(key) <= LONGEST_KEY:
        raise _invalid(f"1 to {LONGEST_KEY} characters")
    return key.decode("ascii")


def _invalid(expected: str) -> InvalidHeader:
    return InvalidHeader(
        "Send an Idempotency-Key that can be read.", faults=(Fault(expected, header="Idempotency-Key"),)
    )


@dataclass(frozen=True, slots=True)
class Remembered:
    """A command that this replica has seen appended: a keyed digest of its body, what its 202 said, and where it is."""

    digest: bytes
    accepted_at: str
    place: str = ""


class Replays:
    """The last accepted commands of this replica, bounded in number and age."""

    def __init__(self, capacity: int, retention_seconds: float) -> None:
        self._capacity = capacity
        self._retention_seconds = retention_seconds
        self._secret = secrets.token_bytes(32)
        # Plain tuples of plain values: the garbage collector does not look at them, however many there are.
        self._entries: OrderedDict[str, tuple[bytes, str, str, float]] = OrderedDict()

    def digest(self, body: bytes) -> bytes:
        """Return the keyed digest under which bodies are compared."""
        return hashlib.blake2b(body, digest_size=16, key=self._secret).digest()

    def recall(self, command_id: str, now: float) -> Remembered | None:
        """Return what is known of this command, if anything is."""
        entry = self._entries.get(command_id)
        if entry is None:
            return None
        digest, accepted_at, place, since = entry
        if now - since > self._retention_seconds:
            del self._entries[command_id]
            return None
        return Remembered(digest, accepted_at, place)

    def remember(self, command_id: str, command: Remembered, now: float) -> None:
        """Keep an appended command; the first body stands, the oldest entry goes."""
        if command_id in self._entries:
            return
        self._entries[command_id] = (command.digest, command.accepted_at, command.place, now)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)
