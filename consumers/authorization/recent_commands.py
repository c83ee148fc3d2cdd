"""Ids of commands that ended, packed: 24 bytes each, oldest first, at most 1,024, for 24 hours.

    16 bytes command id | 4 bytes keyed digest of what was asked | 4 bytes: 2 bits state, 30 bits seconds since 2024

Pure functions over base64 text. The digest is keyed: `state` must not be a dictionary of what people wrote.
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

MOST: Final = 1024
KEPT_SECONDS: Final = 24 * 3600.0
_SIZE: Final = 24
_DIGEST: Final = 4
_EPOCH: Final = 1_704_067_200  # 2024-01-01; 30 bits of seconds reach to 2058
_SECONDS: Final = (1 << 30) - 1


class Ending(IntEnum):
    """How a remembered command ended."""

    FINISHED = 0
    DEAD = 1


@dataclass(frozen=True, slots=True)
class Ended:
    """One remembered command."""

    digest: bytes
    ending: Ending
    at: float


def digest(key: bytes, *parts: bytes) -> bytes:
    """Return the keyed digest of what a command asks (32 bytes; ids keep 4 of them, intents 16)."""
    return hmac.digest(key, b"".join([len(part).to_bytes(8, "big") + part for part in parts]), "sha256")


def short(what: bytes) -> bytes:
    """Return what is kept of a digest."""
    return what[:_DIGEST]


def find(packed: str, command_id: str) -> Ended | None:
    """Return what is remembered of a command."""
    if not packed:
        return None
    entries = b64decode(packed)
    at = _at(entries, _id_bytes(command_id))
    return None if at is None else _entry(entries, at)


def add(packed: str, command_id: str, what: bytes, ending: Ending, now: float) -> str:
    """Remember a command; an entry of the same id is replaced, and what is too old or too much goes."""
    entries, wanted = b64decode(packed), _id_bytes(command_id)
    known_at = _at(entries, wanted)
    if known_at is not None:
        entries = entries[:known_at] + entries[known_at + _SIZE :]
    begin = max(0, len(entries) - (MOST - 1) * _SIZE)
    oldest = _seconds(now - KEPT_SECONDS)
    while begin < len(entries) and _stamp(entries, begin) & _SECONDS < oldest:
        begin += _SIZE
    stamp = ending << 30 | _seconds(now)
    return b64encode(entries[begin:] + wanted + short(what) + stamp.to_bytes(4, "big")).decode("ascii")


def is_full(packed: str, now: float) -> bool:
    """Whether remembering one more would push out one that must still be known."""
    if len(packed) < MOST * _SIZE * 4 // 3:
        return False
    entries = b64decode(packed)
    return len(entries) >= MOST * _SIZE and _stamp(entries, 0) & _SECONDS >= _seconds(now - KEPT_SECONDS)


def last_at(packed: str) -> float | None:
    """Return when the newest one ended; None if none is remembered."""
    if not packed:
        return None
    entries = b64decode(packed)
    return _entry(entries, len(entries) - _SIZE).at


def ids(packed: str) -> Iterator[str]:
    """Walk the remembered ids, oldest first."""
    entries = b64decode(packed)
    for at in range(0, len(entries), _SIZE):
        text = entries[at : at + 16].hex()
        yield f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _at(entries: bytes, wanted: bytes) -> int | None:
    at = entries.find(wanted)
    while at >= 0 and at % _SIZE:
        at = entries.find(wanted, at + 1)
    return at if at >= 0 else None


def _entry(entries: bytes, at: int) -> Ended:
    stamp = _stamp(entries, at)
    return Ended(entries[at + 16 : at + 20], Ending(stamp >> 30), float((stamp & _SECONDS) + _EPOCH))


def _stamp(entries: bytes, at: int) -> int:
    return int.from_bytes(entries[at + 20 : at + 24], "big")


def _seconds(time: float) -> int:
    return min(max(int(time) - _EPOCH, 0), _SECONDS)


def _id_bytes(command_id: str) -> bytes:
    return bytes.fromhex(command_id.replace("-", ""))
