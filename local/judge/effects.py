"""Which command owns each effect at Collate: by the key of its call, or by the outcome that names its handoff."""

from collections import defaultdict
from typing import Final

from adapters.collate.operations import CLOSES, Operation, write_key
from local.judge.recorded import ENDS, CollateEffect, Evidence

Claims = dict[tuple[str, str | None], list[str]]

MOST_WRITES: Final = 8
_OPERATIONS: Final = {
    "handoff.request": (Operation.CREATE_HANDOFF,),
    "handoff.close": tuple(CLOSES),
}
_TYPES: Final = {"handoff_opened": "handoff.request", "handoff_closing": "handoff.close"}


def effects_of(run: Evidence) -> tuple[dict[str, list[CollateEffect]], list[CollateEffect]]:
    """Return the gateway's effects by command id, and the effects of no command.

    An effect without a key belongs to the command whose outcome names its handoff. A command whose outcome names none
    may own one such effect.
    """
    owner = {
        write_key(command.id, operation, n): command.id
        for command in {command.id: command for command in run.commands}.values()
        for operation in _OPERATIONS.get(command.type, ())
        for n in range(MOST_WRITES + 1)
    }
    named, unnamed = _claims(run)
    ours: dict[str, list[CollateEffect]] = defaultdict(list)
    unknown: list[CollateEffect] = []
    for effect in run.effects:
        if effect.by == "client" and effect.kind in _TYPES:
            claims = named[effect.kind, effect.handoff_id] or unnamed[effect.kind, effect.authorization_id]
            command = owner.get(effect.key) if effect.key is not None else claims.pop(0) if claims else None
            (unknown if command is None else ours[command]).append(effect)
    return ours, unknown


def _claims(run: Evidence) -> tuple[Claims, Claims]:
    """Return the commands that may own an effect: by its kind and handoff, and by its kind and authorization."""
    types = {command.id: command.type for command in run.commands}
    named: Claims = defaultdict(list)
    unnamed: Claims = defaultdict(list)
    ends = [event for event in run.events if event.kind in ENDS and event.data.get("effect") != "none"]
    ends.sort(key=lambda event: event.data.get("effect") != "ours")  # `ours` is a claim with proof
    for kind, type_ in _TYPES.items():
        for event in ends:
            command, handoff = event.data["commandId"], event.data.get("handoffId")
            if types.get(command) != type_:
                continue
            if event.kind == "command.finished" and handoff is not None:
                named[kind, handoff].append(command)
            elif command not in unnamed[kind, event.authorization_id]:
                unnamed[kind, event.authorization_id].append(command)
    return named, unnamed
