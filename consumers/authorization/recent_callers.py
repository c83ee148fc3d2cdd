"""Each caller's share of the recent commands (decision 0010). Pure functions over base64 text.

    4 bytes of the command id | 2 bytes of the caller's tag

The id identifies an entry, not its position: an older worker changes the recent commands without these entries. A
recent command without an entry here counts for no caller and expires after a day.
"""

import hashlib
from base64 import b64decode, b64encode
from collections import Counter
from typing import Final

from consumers.authorization import recent_commands
from consumers.authorization.recent_commands import MOST, CommandEnd

SHARE: Final = 256
# The rest of the share is for rejected ids, so that a rejected id does not end twice.
MOST_ACCEPTED: Final = 192
_NO_CALLER: Final = b""
_PREFIX: Final = 4
_SIZE: Final = 6


def add(
    packed: str, callers: str, command_id: str, full_digest: bytes, end: CommandEnd, *, caller: str, now: float
) -> tuple[str, str]:
    """Add a command of a caller; return the recent commands and their callers.

    A caller above its share loses its own oldest command. Above 1,024 in total, the caller with the most commands loses
    its oldest.
    """
    packed = recent_commands.add(packed, command_id, full_digest, end, now)
    entries, owners = recent_commands.ids(packed), _owners(callers)
    owners[recent_commands.id_bytes(command_id)[:_PREFIX]] = tag(caller)
    by_owner = Counter(owners.get(entry[:_PREFIX], _NO_CALLER) for entry in entries)
    attributed = len(entries) - by_owner.pop(_NO_CALLER, 0)
    fullest, most = max(by_owner.items(), key=lambda one: one[1])
    loser = tag(caller) if by_owner[tag(caller)] > SHARE else fullest if attributed > MOST and most > 1 else None
    if loser is not None:
        oldest = next(number for number, entry in enumerate(entries) if owners.get(entry[:_PREFIX]) == loser)
        packed = recent_commands.without(packed, oldest)
        del entries[oldest]
    kept = [entry[:_PREFIX] + owners[entry[:_PREFIX]] for entry in entries if entry[:_PREFIX] in owners]
    return packed, b64encode(b"".join(kept)).decode("ascii")


def emptied(packed: str, callers: str, caller: str | None) -> tuple[str, str]:
    """Remove the recent commands of a caller, or all of them; return the rest and their callers."""
    if caller is None:
        return "", ""
    own, owners = tag(caller), _owners(callers)
    for number in reversed(range(len(ids := recent_commands.ids(packed)))):
        if owners.get(ids[number][:_PREFIX]) == own:
            packed = recent_commands.without(packed, number)
    rest = [prefix + owner for prefix, owner in owners.items() if owner != own]
    return packed, b64encode(b"".join(rest)).decode("ascii")


def count(packed: str, callers: str, caller: str, now: float) -> int:
    """Return how many of the recent commands are the caller's."""
    if not callers:
        return 0
    own, owners = tag(caller), _owners(callers)
    return sum(owners.get(entry[:_PREFIX]) == own for entry in recent_commands.ids(packed, now))


def tag(caller: str) -> bytes:
    """Return a caller's tag. Two callers with the same tag (one pair in 65,536) have one share."""
    return hashlib.sha256(caller.encode()).digest()[: _SIZE - _PREFIX]


def _owners(callers: str) -> dict[bytes, bytes]:
    entries = b64decode(callers)
    return {entries[at : at + _PREFIX]: entries[at + _PREFIX : at + _SIZE] for at in range(0, len(entries), _SIZE)}
