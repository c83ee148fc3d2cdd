"""Which ids a state keeps of a command that ended, so that a repeat is recognised (decision 0010). Pure.

The worker and a rebuild of the state call the same functions. `now` is when the command ended; an id that ended more
than a day before `until` is dropped.
"""

from consumers.authorization import recent_callers
from consumers.authorization.recent_commands import CommandEnd, is_kept
from consumers.authorization.state import AuthorizationState


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
    packed, callers, lost = recent_callers.add(
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
    return state.replace(recent_commands=packed, recent_callers=callers, recent_forgotten=forgotten)


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
    if recent_callers.count(state.recent_commands, state.recent_callers, caller, until) >= recent_callers.SHARE:
        return state
    return add_id(state, record_id, digest, CommandEnd.FINISHED, caller, now=now, until=until)
