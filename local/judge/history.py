"""Checks the inputs, outputs, states and external calls of a run against the engine's promises.

Pure; knows neither Kafka nor Collate: a caller turns its records into these values. Outputs and states are those of a
read_committed reader, in the order of their topic. Effects are external calls, in the order in which they began, over
all processes (they share one journal).
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Input:
    """One record to process. Within a key, inputs are in the order of the log.

    `has_effect`: processing it needs an effect, which begins only after its intent is committed. Without an intent the
    engine promises nothing about effects: after a crash they are repeated, with those of later inputs of the key.
    """

    id: str
    key: str
    value: bytes = b""
    has_effect: bool = True


@dataclass(frozen=True, slots=True)
class Output:
    """One record that was published.

    `cause` is the id of its input, None without one; `is_outcome` marks the one record that ends an input; `at` is the
    time of the write, Unix seconds.
    """

    key: str
    sequence: int
    cause: str | None
    is_outcome: bool
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Effect:
    """One external call that a handler began for an input. `at` is in Unix seconds; `by` names the process."""

    cause: str
    key: str
    at: float
    by: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """A whole run that has ended. `effects` is None without a journal of the handler."""

    inputs: Sequence[Input]
    outputs: Sequence[Output]
    states: Mapping[str, bytes]
    effects: Sequence[Effect] | None = None


class Rule(StrEnum):
    """The rules that a run can break."""

    NO_OUTCOME = "an input has no outcome"
    TWO_OUTCOMES = "an input has more than one outcome"
    UNKNOWN_CAUSE = "an output names an input that does not exist"
    ORDER = "the outcomes of a key are not in the order of its inputs"
    SEQUENCE = "the outputs of a key are not numbered without gaps"
    STATE = "the state of a key does not follow from its inputs and outputs"
    NO_EFFECT = "an input has an outcome and no effect"
    EFFECT_ORDER = "an effect began after a later input of its key had begun"
    EFFECT_LATE = "an effect began after its input had its outcome"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule, with its key and details."""

    rule: Rule
    key: str
    detail: str


# The timestamps of outputs are in whole milliseconds.
_CLOCK_SECONDS = 0.002


def check(
    history: History, replay: Callable[[str, Sequence[Input], Sequence[Output]], bytes | None]
) -> list[Violation]:
    """Return every violation; an empty list means that the run kept the promises.

    Args:
        history: the run.
        replay: returns the state that a key must have after its inputs and outputs, both in order; None for no state.
    """
    inputs: dict[str, list[Input]] = defaultdict(list)
    outputs: dict[str, list[Output]] = defaultdict(list)
    for item in history.inputs:
        inputs[item.key].append(item)
    for output in history.outputs:
        outputs[output.key].append(output)
    violations: list[Violation] = []
    for key in sorted({*inputs, *outputs, *history.states}):
        violations += _outcomes(key, inputs[key], outputs[key])
        violations += _sequence(key, outputs[key])
        expected, found = replay(key, inputs[key], outputs[key]), history.states.get(key)
        if expected != found:
            violations.append(Violation(Rule.STATE, key, f"expected {expected!r}, found {found!r}"))
    if history.effects is not None:
        violations += _effects(history.effects, inputs, outputs)
    return violations


def _outcomes(key: str, inputs: Sequence[Input], outputs: Sequence[Output]) -> list[Violation]:
    violations = []
    place = {item.id: index for index, item in enumerate(inputs)}
    count: dict[str, int] = defaultdict(int)
    furthest = -1
    for output in outputs:
        if output.cause is None:
            continue
        if output.cause not in place:
            violations.append(Violation(Rule.UNKNOWN_CAUSE, key, f"{output.cause}, sequence {output.sequence}"))
        elif output.is_outcome:
            count[output.cause] += 1
            if place[output.cause] < furthest:
                violations.append(Violation(Rule.ORDER, key, f"{output.cause}, sequence {output.sequence}"))
            furthest = max(furthest, place[output.cause])
    for item in inputs:
        if count[item.id] != 1:
            rule = Rule.TWO_OUTCOMES if count[item.id] else Rule.NO_OUTCOME
            violations.append(Violation(rule, key, f"{item.id}: {count[item.id]}"))
    return violations


def _sequence(key: str, outputs: Sequence[Output]) -> list[Violation]:
    for expected, output in enumerate(outputs, 1):
        if output.sequence != expected:  # later numbers are wrong for the same reason
            return [Violation(Rule.SEQUENCE, key, f"expected {expected}, found {output.sequence}")]
    return []


def _effects(
    effects: Sequence[Effect], inputs: Mapping[str, Sequence[Input]], outputs: Mapping[str, Sequence[Output]]
) -> list[Violation]:
    violations = []
    place = {item.id: index for of_key in inputs.values() for index, item in enumerate(of_key)}
    ended = {output.cause: output.at for of_key in outputs.values() for output in of_key if output.is_outcome}
    furthest: dict[str, int] = defaultdict(lambda: -1)
    for effect in effects:
        index = place.get(effect.cause, -1)
        if index < furthest[effect.key]:
            violations.append(Violation(Rule.EFFECT_ORDER, effect.key, f"{effect.cause} by {effect.by}"))
        furthest[effect.key] = max(furthest[effect.key], index)
        late = effect.at - ended.get(effect.cause, effect.at)
        if late > _CLOCK_SECONDS:
            violations.append(Violation(Rule.EFFECT_LATE, effect.key, f"{effect.cause} by {effect.by}, {late:.3f} s"))
    begun = {effect.cause for effect in effects}
    violations += [
        Violation(Rule.NO_EFFECT, item.key, item.id)
        for of_key in inputs.values()
        for item in of_key
        if item.has_effect and item.id in ended and item.id not in begun
    ]
    return violations
