"""Which ids a state keeps of commands that ended, and each caller's share of them (decision 0010). Pure.

The worker and a rebuild of the state call the same functions: `add_run`, `add_grant` and `add_id` on a state. `now` is
when the command ended; an id that ended more than a day before `until` is dropped. The callers are base64 text:

    4 bytes of the command id | 2 bytes of the caller's tag

Each recent command has an entry here. Commands that were rejected because the share is full have a smaller share of
their own, so that they take no place of a command that was applied.
"""

import hashlib
from base64 import b64decode, b64encode
from collections import Counter
from typing import Final, NamedTuple

from consumers.authorization import recent_commands
from consumers.authorization.recent_commands import MOST, CommandEnd, is_kept
from consumers.authorization.state import AuthorizationState
from schemas.callers import pool_of

SHARE: Final = 256
# The rest of the share is for redrives and access grants.
MOST_ACCEPTED: Final = 192
MOST_REJECTED: Final = 64
_PREFIX: Final = 4
_SIZE: Final = 6


class Forgotten(NamedTuple):
    """A command that lost its place before its day was over."""

    tag: bytes
    ended_at: float


def add_id(
    state: AuthorizationState,
    record_id: str,
    digest: bytes,
    end: CommandEnd,
    caller: str,
    *,
    now: float,
    until: float,
    over_share: bool = False,
) -> AuthorizationState:
    """Add one id. `over_share`: the command was rejected because its caller's share is full."""
    packed, callers, lost = add(
        state.recent_commands,
        state.recent_callers,
        record_id,
        digest,
        end,
        caller=caller,
        now=now,
        until=until,
        over_share=over_share,
    )
    forgotten = state.recent_forgotten
    if lost is not None:
        tag = lost.tag.hex()
        others = {key: at for key, at in forgotten.items() if key != tag and is_kept(at, until)}
        forgotten = others | {tag: max(lost.ended_at, forgotten.get(tag, 0.0))}
    unknown = pool_of(caller) if state.known is None else None
    return state.replace(
        unknown_caller=unknown, recent_commands=packed, recent_callers=callers, recent_forgotten=forgotten
    )


def add_run(
    state: AuthorizationState,
    command_id: str,
    record_id: str,
    digest: bytes,
    end: CommandEnd,
    *,
    caller: str,
    now: float,
    until: float,
) -> AuthorizationState:
    """Add a run of a command that finished or was dead-lettered. The record of a redrive has an id of its own."""
    for id_ in dict.fromkeys((command_id, record_id)):
        state = add_id(state, id_, digest, end, caller, now=now, until=until)
    return state


def add_grant(
    state: AuthorizationState, record_id: str, digest: bytes, caller: str, *, now: float, until: float
) -> AuthorizationState:
    """Add an access grant, unless its caller's share is full: a repeat of it grants nothing more."""
    if count(state.recent_commands, state.recent_callers, caller, until) >= SHARE:
        return state
    return add_id(state, record_id, digest, CommandEnd.FINISHED, caller, now=now, until=until)


def add(
    packed: str,
    callers: str,
    command_id: str,
    full_digest: bytes,
    end: CommandEnd,
    *,
    caller: str,
    now: float,
    until: float,
    over_share: bool = False,
) -> tuple[str, str, Forgotten | None]:
    """Add a command of a caller that ends `now`; return the commands of the day before `until`, and their callers.

    A caller above its share loses its own oldest command. Above 1,024 in total, the caller with the most commands loses
    its oldest. `over_share`: the command was rejected because the share is full.
    """
    packed = recent_commands.add(packed, command_id, full_digest, end, now, until=until)
    entries, owners = recent_commands.ids(packed), _owners(callers)
    own, share = (_tag_over_share(caller), MOST_REJECTED) if over_share else (tag(caller), SHARE)
    owners[recent_commands.id_bytes(command_id)[:_PREFIX]] = own
    # Few commands in total, the usual case, break no bound.
    loser = _loser(entries, owners, own, share) if len(entries) > min(share, MOST) else None
    forgotten = None
    if loser is not None:
        oldest = next(number for number, entry in enumerate(entries) if owners[entry[:_PREFIX]] == loser)
        forgotten = Forgotten(loser, recent_commands.ended_at(packed, oldest))
        packed = recent_commands.without(packed, oldest)
        del entries[oldest]
    kept = [entry[:_PREFIX] + owners[entry[:_PREFIX]] for entry in entries]
    return packed, b64encode(b"".join(kept)).decode("ascii"), forgotten


def _loser(entries: list[bytes], owners: dict[bytes, bytes], own: bytes, share: int) -> bytes | None:
    """Return the tag of the caller that loses its oldest command, if any."""
    by_owner = Counter(owners[entry[:_PREFIX]] for entry in entries)
    fullest, most = max(by_owner.items(), key=lambda one: one[1])
    return own if by_owner[own] > share else fullest if len(entries) > MOST and most > 1 else None


def emptied(packed: str, callers: str, caller: str | None) -> tuple[str, str]:
    """Remove the recent commands of a caller, or all of them; return the rest and their callers."""
    if caller is None:
        return "", ""
    own, owners = tags(caller), _owners(callers)
    for number in reversed(range(len(ids := recent_commands.ids(packed)))):
        if owners[ids[number][:_PREFIX]] in own:
            packed = recent_commands.without(packed, number)
    rest = [prefix + owner for prefix, owner in owners.items() if owner not in own]
    return packed, b64encode(b"".join(rest)).decode("ascii")


def count(packed: str, callers: str, caller: str, until: float) -> int:
    """Return how many commands of the day before `until` are the caller's, without those over its share."""
    if not callers:
        return 0
    own, owners = tag(caller), _owners(callers)
    return sum(owners[entry[:_PREFIX]] == own for entry in recent_commands.ids(packed, until))


def tag(caller: str) -> bytes:
    """Return a caller's tag. Two callers with the same tag (one pair in 65,536) have one share."""
    return hashlib.sha256(caller.encode()).digest()[: _SIZE - _PREFIX]


def _tag_over_share(caller: str) -> bytes:
    return tag(f"\0{caller}")  # no name of a caller has a NUL


def tags(caller: str) -> tuple[bytes, bytes]:
    """Return the tags of a caller's commands, and of those over its share."""
    return tag(caller), _tag_over_share(caller)


def _owners(callers: str) -> dict[bytes, bytes]:
    entries = b64decode(callers)
    return {entries[at : at + _PREFIX]: entries[at + _PREFIX : at + _SIZE] for at in range(0, len(entries), _SIZE)}
