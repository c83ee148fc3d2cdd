"""Faults by rule: which calls they strike, and what they do to them.

A rule strikes a call when method and path match and its counters, its probability (seeded) and its window of world
time say so. `before` means: the world was not touched; `after`: the effect has happened and the answer is spoilt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Literal

from local.collate.model import actors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait that long, or up to that long; before applying, it makes an effect that comes after its client gave up."""

    seconds: float
    when: When
    up_to: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with this status instead."""

    when: When
    status: int
    shape: Literal["typed", "html", "text", "empty", "json", "gzip_bomb"] = "typed"
    code: str | None = None
    retryable: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    retry_after: str | None = None
    location: str | None = None
    body: Any = None


@dataclass(frozen=True, slots=True)
class Reset:
    """A TCP RST."""

    when: When


@dataclass(frozen=True, slots=True)
class Hang:
    """Never answer."""

    when: When


@dataclass(frozen=True, slots=True)
class Truncate:
    """Send half of the answer's body, then close."""


@dataclass(frozen=True, slots=True)
class Trickle:
    """Send the answer's body byte by byte: no read ever times out, only a deadline ends it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drop:
    """Answer, then close the connection that the client means to use again."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Answer with bytes that are no HTTP."""


@dataclass(frozen=True, slots=True)
class Endless:
    """Send a head or a body that doesn't end."""

    part: str


@dataclass(frozen=True, slots=True)
class Act:
    """Let another actor do something first."""

    doing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Lay JSON over the answer: unknown fields, values, codes."""

    overlay: Mapping[str, Any]


End = Answer | Reset | Hang | Truncate | Trickle | Drop | Garbage | Endless
Doing = Delay | End | Act | Rewrite


@dataclass(slots=True)
class Rule:
    """One rule with its counters."""

    id: str
    doing: Doing
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

    def strikes(self, method: str, path: str, now: float) -> bool:
        """Count a call, and say whether it is struck."""
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
        """Seconds that this rule makes a call wait."""
        match self.doing:
            case Delay(seconds, at, up_to) if at == when:
                return seconds if up_to is None else self.random.uniform(seconds, up_to)
            case _:
                return 0.0

    def ends(self, when: When) -> End | None:
        """How this rule ends a call, if it does so before, or after, the world was touched."""
        match self.doing:
            case (Answer() | Reset() | Hang()) as end:
                return end if end.when == when else None
            case (Truncate() | Trickle() | Drop() | Garbage() | Endless()) as end:
                return end if when == "after" else None
            case _:
                return None

    def as_json(self) -> dict[str, Any]:
        """The rule with its counters, as the control API shows it."""
        return {
            "id": self.id,
            "do": type(self.doing).__name__.lower(),
            "method": self.method,
            "path": self.path.pattern,
            "seen": self.seen,
            "struck": self.struck,
        }


class Faults:
    """The rules in force; all that strike a call are applied, in their order."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._numbered = 0

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def strike(self, method: str, path: str, now: float) -> tuple[Rule, ...]:
        """The rules that strike this call."""
        if not self._rules:
            return ()
        return tuple(rule for rule in self._rules.values() if rule.strikes(method, path, now))

    def add(self, wanted: Mapping[str, Any], now: float) -> Rule:
        """Add a rule from its JSON form; raises ValueError that says what is wrong."""
        self._numbered += 1
        rule = parse(dict(wanted), f"fault-{self._numbered}", now)
        self._rules[rule.id] = rule
        return rule

    def remove(self, rule_id: str) -> bool:
        """Take a rule away; False if there is none of that id."""
        return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Take all rules away."""
        self._rules.clear()


def parse(wanted: dict[str, Any], default_id: str, now: float) -> Rule:
    """Read a rule; raises ValueError that names what is missing or unknown."""
    doing = _doing(wanted)
    nth = wanted.pop("nth", None)
    window = wanted.pop("forSeconds", None)
    try:
        rule = Rule(
            id=str(wanted.pop("id", default_id)),
            doing=doing,
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


def _doing(wanted: dict[str, Any]) -> Doing:
    what, when = wanted.pop("do", None), wanted.pop("when", "before")
    if when not in ("before", "after"):
        raise ValueError("`when` is before or after")
    if what not in _READERS:
        raise ValueError(f"`do` is one of {', '.join(_READERS)}")
    try:
        return _READERS[what](wanted, when)
    except KeyError as missing:
        raise ValueError(f"a fault that does {what!r} needs the field {missing}") from missing


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
        details=dict(wanted.pop("details", {})),
        retry_after=None if retry_after is None else str(retry_after),
        body=wanted.pop("body", None),
    )


def _redirect(wanted: dict[str, Any], when: When) -> Answer:
    return Answer(when, int(wanted.pop("status", 307)), "empty", location=str(wanted.pop("location")))


_READERS: dict[str, Callable[[dict[str, Any], When], Doing]] = {
    "delay": lambda wanted, when: Delay(float(wanted.pop("seconds")), when, wanted.pop("upToSeconds", None)),
    "answer": _answer,
    "redirect": _redirect,
    "reset": lambda _, when: Reset(when),
    "hang": lambda _, when: Hang(when),
    "truncate": lambda _, __: Truncate(),
    "trickle": lambda wanted, _: Trickle(float(wanted.pop("seconds", 0.5))),
    "drop": lambda _, __: Drop(),
    "garbage": lambda _, __: Garbage(),
    "endless": lambda wanted, _: Endless(str(wanted.pop("part", "body"))),
    "act": lambda wanted, _: Act(actors.checked(wanted.pop("actor"))),
    "rewrite": lambda wanted, _: Rewrite(dict(wanted.pop("overlay"))),
}
