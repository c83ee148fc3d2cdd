"""The Idempotency-Key header (IETF draft, quoted and bare), and the commands that this replica remembers.

A replica forgets its oldest commands, and that is safe: the worker recognizes every repeated command. A body is stored
as a keyed digest only.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from gateway.ingress.api_http.api_problems import KeyMissing
from runtime.http_server.port_problems import InvalidHeader
from runtime.http_server.problem import Fault

MAX_KEY_LENGTH = 255
_BARE = re.compile(rb"[!#-+\--\[\]-~]+")  # visible ASCII without the quote, comma and backslash of structured fields
_QUOTED = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPED = re.compile(rb'\\(["\\])')


def read_key(header: bytes | None) -> str:
    """Return the key. `"abc"` and `abc` are the same key. Raises KeyMissing and InvalidHeader."""
    if header is None:
        raise KeyMissing(
            "Send a new Idempotency-Key with every command, and the same key with a retry.",
            faults=(Fault("required: 1 to 255 characters, quoted or bare", header="Idempotency-Key"),),
        )
    header = header.strip(b" \t")
    if quoted := _QUOTED.fullmatch(header):
        key = _ESCAPED.sub(rb"\1", quoted.group(1))
    elif _BARE.fullmatch(header):
        key = header
    else:
        raise _invalid_key("printable ASCII, in double quotes if it has spaces, commas or backslashes")
    if not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise _invalid_key(f"1 to {MAX_KEY_LENGTH} characters")
    return key.decode("ascii")


def _invalid_key(expected: str) -> InvalidHeader:
    return InvalidHeader("Send a well-formed Idempotency-Key.", faults=(Fault(expected, header="Idempotency-Key"),))


@dataclass(frozen=True, slots=True)
class Remembered:
    """A command that this replica has appended: a keyed digest of its body, its acceptance time and its position."""

    digest: str
    accepted_at: datetime
    position: str = ""


class Replays:
    """The last commands of this replica, bounded in number and age. The caller of a method passes the time."""

    def __init__(self, capacity: int, retention_seconds: float) -> None:
        self._capacity = capacity
        self._retention_seconds = retention_seconds
        # Tuples of plain values, because the garbage collector does not traverse these.
        self._entries: OrderedDict[str, tuple[str, datetime, str, float]] = OrderedDict()

    def recall(self, command_id: str, now: float) -> Remembered | None:
        """Return the command, if this replica remembers it."""
        entry = self._entries.get(command_id)
        if entry is None:
            return None
        digest, accepted_at, position, since = entry
        if now - since > self._retention_seconds:
            del self._entries[command_id]
            return None
        return Remembered(digest, accepted_at, position)

    def remember(self, command_id: str, command: Remembered, now: float) -> None:
        """Remember an appended command. A known command stays unchanged; above the capacity the oldest is removed."""
        if command_id in self._entries:
            return
        self._entries[command_id] = (command.digest, command.accepted_at, command.position, now)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def forget(self) -> None:
        """Forget every command: their topic may lack them now."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
