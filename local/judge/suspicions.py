"""Says what Collate did when a worker suspected a double effect: the worker's reads alone cannot (decision 0002)."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from local.judge.effects import effects_of
from local.judge.recorded import CollateEffect, Evidence

EVENT: Final = "command.double_effect_suspected"
SEVERAL: Final = "the command had several effects"
ANOTHER_CHANGE: Final = "the command had one effect, and another change raised the version too"
NO_OTHER_CHANGE: Final = "the command had one effect, and no other change raised the version"
NO_EFFECT: Final = "the command had no effect"


def explain(lines: Iterable[str], run: Evidence) -> Counter[str]:
    """Count the suspicions in the workers' log lines by what Collate did."""
    ours, _ = effects_of(run)
    return Counter(_explanation(json.loads(line), ours, run.effects) for line in lines if f'"{EVENT}"' in line)


def _explanation(
    suspicion: Mapping[str, Any], ours: Mapping[str, Sequence[CollateEffect]], effects: Sequence[CollateEffect]
) -> str:
    own = ours.get(suspicion["command_id"], ())
    if len(own) != 1:
        return SEVERAL if own else NO_EFFECT
    others = (
        effect
        for effect in effects
        if effect.authorization_id == suspicion["authorization_id"]
        and suspicion["if_match"] < effect.version <= suspicion["version"]
        and effect is not own[0]
    )
    return ANOTHER_CHANGE if any(others) else NO_OTHER_CHANGE
