"""Fault rules: the calls that they match, and their faults.

A rule matches a call by method, path, counters, probability (seeded) and a window of simulated time. A fault `before`
happens without an effect; a fault `after` happens after the effect.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from local.collate.model import actors

When = Literal["before", "after"]
CutKind = Literal["reset", "hang", "truncate", "trickle", "drop", "garbage", "endless"]


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait for `seconds`, or up to `up_to`. `before` can delay the effect past the client's timeout."""

    seconds: float
    when: When
    up_to: float | None = None


@dataclass(slots=True)
class Hold:
    """Wait until the rule is released or removed."""

    when: When
    waiting: list[Callable[[], None]] = field(default_factory=list)
    is_released: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Reply with this status instead."""

    when: When
    status: int
    shape: Literal["typed", "html", "text", "empty", "json", "gzip_bomb"] = "typed"
    code: str | None = None
    retryable: bool = False
    retry_after: str | None = None
    location: str | None = None
    body: Any = None


@dataclass(frozen=True, slots=True)
class Cut:
    """End the call at its connection, in a way of `local.collate.web.connection`."""

    kind: CutKind
    when: When
    seconds: float = 0.0  # between the bytes of `trickle`
    part: str = "body"  # that is `endless`: or the head


@dataclass(frozen=True, slots=True)
class Act:
    """Let another actor act before the call."""

    action: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Merge JSON into the reply: unknown fields, values, codes."""

    overlay: Mapping[str, Any]


End = Answer | Cut
Fault = Delay | Hold | End | Act | Rewrite


@dataclass(slots=True)
class Rule:
    """A rule with its counters."""

    id: str
    fault: Fault
    path: re.Pattern[str]
    method: str | None = None
    nth: frozenset[int] | None = None
    skip: int = 0
    count: int | None = None
    probability: float = 1.0
    until: float | None = None
    random: Random = field(default_factory=lambda: Random(0))
    seen: int = 0
    struck: int = 0

    def matches(self, method: str, path: str, now: float) -> bool:
        """Count a call, and return whether the rule applies to it."""
        if (self.method is not None and self.method != method) or self.path.search(path) is None:
            return False
        if self.until is not None and now >= self.until:
            return False
        self.seen += 1
        if self.nth is not None and self.seen not in self.nth:
            return False
        if self.seen <= self.skip or (self.count is not None and self.struck >= self.count):
            return False
        if self.probability < 1.0 and self.random.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def waits(self, when: When) -> float:
        """Return the seconds by which the rule delays a call."""
        match self.fault:
            case Delay(seconds, at, up_to) if at == when:
                return seconds if up_to is None else self.random.uniform(seconds, up_to)
            case _:
                return 0.0

    def holds(self, when: When, then: Callable[[], None]) -> bool:
        """Return whether the rule holds a call; `then` is called at its release."""
        match self.fault:
            case Hold(at, waiting, False) if at == when:
                waiting.append(then)
                return True
            case _:
                return False

    def release(self) -> None:
        """Let all held calls continue, and hold no more."""
        if isinstance(self.fault, Hold):
            self.fault.is_released = True
            while self.fault.waiting:
                self.fault.waiting.pop(0)()

    def ends(self, when: When) -> End | None:
        """Return how the rule ends a call before, or after, the effect; None if it does not."""
        match self.fault:
            case (Answer() | Cut()) as end if end.when == when:
                return end
            case _:
                return None

    def as_json(self) -> dict[str, Any]:
        """Return the rule with its counters as the control API shows it."""
        return {
            "id": self.id,
            "do": self.fault.kind if isinstance(self.fault, Cut) else type(self.fault).__name__.lower(),
            "method": self.method,
            "path": self.path.pattern,
            "seen": self.seen,
            "struck": self.struck,
        }


class FaultRules:
    """The active rules. All matching rules apply to a call, in order."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._numbered = 0

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def matching(self, method: str, path: str, now: float) -> tuple[Rule, ...]:
        """Return the rules that apply to this call."""
        if not self._rules:
            return ()
        return tuple(rule for rule in self._rules.values() if rule.matches(method, path, now))

    def add(self, wanted: Mapping[str, Any], now: float) -> Rule:
        """Add a rule from its JSON form. Raises ValueError if the rule is invalid."""
        self._numbered += 1
        rule = parse(dict(wanted), f"fault-{self._numbered}", now)
        self._rules[rule.id] = rule
        return rule

    def remove(self, rule_id: str) -> bool:
        """Remove a rule; return False if the id is unknown."""
        if (rule := self._rules.pop(rule_id, None)) is not None:
            rule.release()
        return rule is not None

    def clear(self) -> None:
        """Remove all rules."""
        for rule_id in list(self._rules):
            self.remove(rule_id)


def parse(wanted: dict[str, Any], default_id: str, now: float) -> Rule:
    """Parse a rule. Raises ValueError if a field is missing, unknown or of a wrong type."""
    fault = _fault(wanted)
    nth = wanted.pop("nth", None)
    window = wanted.pop("forSeconds", None)
    try:
        rule = Rule(
            id=str(wanted.pop("id", default_id)),
            fault=fault,
            path=re.compile(wanted.pop("path", "")),
            method=wanted.pop("method", None),
            nth=None if nth is None else frozenset([nth] if isinstance(nth, int) else nth),
            skip=int(wanted.pop("skip", 0)),
            count=wanted.pop("count", None),
            probability=float(wanted.pop("probability", 1.0)),
            until=None if window is None else now + float(window),
            random=Random(wanted.pop("seed", 0)),
        )
    except (TypeError, re.error) as error:
        raise ValueError(f"a fault has an ill-typed field: {error}") from error
    if wanted:
        raise ValueError(f"a fault has unknown fields: {', '.join(sorted(wanted))}")
    return rule


def _fault(wanted: dict[str, Any]) -> Fault:
    kind, when = wanted.pop("do", None), wanted.pop("when", "before")
    if when not in ("before", "after"):
        raise ValueError("`when` is before or after")
    if kind not in _READERS:
        raise ValueError(f"`do` is one of {', '.join(_READERS)}")
    try:
        return _READERS[kind](wanted, when)
    except KeyError as missing:
        raise ValueError(f"the fault {kind!r} needs the field {missing}") from missing


def _answer(wanted: dict[str, Any], when: When) -> Answer:
    shape = wanted.pop("shape", "typed")
    if shape not in ("typed", "html", "text", "empty", "json", "gzip_bomb"):
        raise ValueError("`shape` is typed, html, text, empty, json or gzip_bomb")
    retry_after = wanted.pop("retryAfter", None)
    return Answer(
        when,
        int(wanted.pop("status")),
        shape,
        code=wanted.pop("code", None),
        retryable=bool(wanted.pop("retryable", False)),
        retry_after=None if retry_after is None else str(retry_after),
        body=wanted.pop("body", None),
    )


def _redirect(wanted: dict[str, Any], when: When) -> Answer:
    return Answer(when, int(wanted.pop("status", 307)), "empty", location=str(wanted.pop("location")))


_READERS: dict[str, Callable[[dict[str, Any], When], Fault]] = {
    "delay": lambda wanted, when: Delay(float(wanted.pop("seconds")), when, wanted.pop("upToSeconds", None)),
    "hold": lambda _, when: Hold(when),
    "answer": _answer,
    "redirect": _redirect,
    "reset": lambda _, when: Cut("reset", when),
    "hang": lambda _, when: Cut("hang", when),
    "truncate": lambda _, __: Cut("truncate", "after"),
    "trickle": lambda wanted, _: Cut("trickle", "after", seconds=float(wanted.pop("seconds", 0.5))),
    "drop": lambda _, __: Cut("drop", "after"),
    "garbage": lambda _, __: Cut("garbage", "after"),
    "endless": lambda wanted, _: Cut("endless", "after", part=str(wanted.pop("part", "body"))),
    "act": lambda wanted, _: Act(actors.validated(wanted.pop("actor"))),
    "rewrite": lambda wanted, _: Rewrite(dict(wanted.pop("overlay"))),
}
