"""The ids of commands that ended, packed: 24 bytes each, oldest first, for a day. `recent_callers` bounds them.

The day, REMEMBERED_SECONDS, ends when a record is handled that was *accepted* later: a repeat that was accepted within
a day of the outcome is recognised, however late it is handled.

    16 bytes command id | 4 bytes keyed digest of the command | 4 bytes: 2 bits how it ended, 30 bits seconds since 2024

Pure functions over base64 text. The digest is keyed, so that a reader of `state` cannot find free text by its digest.
"""

import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from schemas.promises.ends import KEPT_SECONDS

# A day, and the time from the acceptance of a command to its record in the log and the distance of two clocks.
REMEMBERED_SECONDS: Final = KEPT_SECONDS + 60.0
MOST: Final = 1024
# Of more than 1,024 callers with one id each, none loses its id below this bound.
_MOST_IN_ALL: Final = 2 * MOST
_SIZE: Final = 24
_TEXT: Final = 32  # of one entry: 24 bytes are 32 characters without padding
_DIGEST: Final = 4
_EPOCH: Final = 1_704_067_200  # 2024-01-01; 30 bits of seconds last until 2058
_SECONDS: Final = (1 << 30) - 1


class CommandEnd(IntEnum):
    """How a recent command ended."""

    FINISHED = 0
    DEAD_LETTERED = 1


@dataclass(frozen=True, slots=True)
class RecentCommand:
    """One recent command."""

    digest: bytes
    end: CommandEnd
    at: float


def digest(key: bytes, *parts: bytes) -> bytes:
    """Return the keyed digest of a command (32 bytes; this module keeps 4 of them, an intent 16)."""
    return hmac.digest(key, b"".join([len(part).to_bytes(8, "big") + part for part in parts]), "sha256")


def digest_prefix(full_digest: bytes) -> bytes:
    """Return the part of a digest that is kept."""
    return full_digest[:_DIGEST]


def find(packed: str, command_id: str) -> RecentCommand | None:
    """Return a recent command, or None."""
    if not packed:
        return None
    entries = b64decode(packed)
    at = _at(entries, id_bytes(command_id))
    return None if at is None else _entry(entries, at)


def add(packed: str, command_id: str, full_digest: bytes, end: CommandEnd, now: float, *, until: float) -> str:
    """Add a command that ends `now`. Replaces an entry of the same id, and drops those older than a day at `until`."""
    entries, wanted = b64decode(packed), id_bytes(command_id)
    known_at = _at(entries, wanted)
    if known_at is not None:
        entries = entries[:known_at] + entries[known_at + _SIZE :]
    begin = max(0, len(entries) - (_MOST_IN_ALL - 1) * _SIZE)
    oldest = _seconds(until - REMEMBERED_SECONDS)
    while begin < len(entries) and _stamp(entries, begin) & _SECONDS < oldest:
        begin += _SIZE
    stamp = end << 30 | _seconds(now)
    return b64encode(entries[begin:] + wanted + digest_prefix(full_digest) + stamp.to_bytes(4, "big")).decode("ascii")


def is_kept(ended_at: float, until: float) -> bool:
    """Whether the id of a command that ended then is kept, if the record in hand was accepted at `until`."""
    return ended_at >= until - REMEMBERED_SECONDS


def ids(packed: str, until: float = 0.0) -> list[bytes]:
    """Return the ids, oldest first, of the last day before `until`; without `until` all of them."""
    entries, oldest = b64decode(packed), _seconds(until - REMEMBERED_SECONDS)
    places = range(0, len(entries), _SIZE)
    return [entries[at : at + 16] for at in places if _stamp(entries, at) & _SECONDS >= oldest]


def without(packed: str, number: int) -> str:
    """Remove one entry by its number."""
    return packed[: number * _TEXT] + packed[(number + 1) * _TEXT :]


def ended_at(packed: str, number: int) -> float:
    """Return when a command ended, by its number."""
    return _entry(b64decode(packed), number * _SIZE).at


def last_at(packed: str) -> float | None:
    """Return when the newest command ended; None if there is none."""
    if not packed:
        return None
    entries = b64decode(packed)
    return _entry(entries, len(entries) - _SIZE).at


def _at(entries: bytes, wanted: bytes) -> int | None:
    at = entries.find(wanted)
    while at >= 0 and at % _SIZE:
        at = entries.find(wanted, at + 1)
    return at if at >= 0 else None


def _entry(entries: bytes, at: int) -> RecentCommand:
    stamp = _stamp(entries, at)
    return RecentCommand(entries[at + 16 : at + 20], CommandEnd(stamp >> 30), float((stamp & _SECONDS) + _EPOCH))


def _stamp(entries: bytes, at: int) -> int:
    return int.from_bytes(entries[at + 20 : at + 24], "big")


def _seconds(time: float) -> int:
    return min(max(int(time) - _EPOCH, 0), _SECONDS)


def id_bytes(command_id: str) -> bytes:
    """Return the 16 bytes of a command id."""
    return bytes.fromhex(command_id.replace("-", ""))
