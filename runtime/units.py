"""Notation of durations, sizes, lists, labels and steps in a setting: `30s`, `64KiB`, `a,b`, `5s until 10m, 15s`."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>B|KiB|MiB|GiB)?", re.ASCII)
_SHORTEST_STEP = timedelta(milliseconds=100)
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def parse_duration(value: Any) -> Any:
    """Parse `250ms`, `30s`, `5m`, `24h` or `30d` into a timedelta; return other types unchanged for pydantic."""
    if not isinstance(value, str):
        return value
    total, at = 0.0, 0
    text = value.strip()
    for match in _DURATION.finditer(text):
        if match.start() != at:
            break
        total += float(match["number"]) * _SECONDS[match["unit"]]
        at = match.end()
    if not text or at != len(text):
        raise ValueError("expected a number with a unit (ms, s, m, h or d), like 30s or 1h30m")
    if total > timedelta.max.total_seconds():
        raise ValueError("the duration is too long")
    return timedelta(seconds=total)


def show_duration(value: timedelta) -> str:
    """Format a duration as a setting accepts it, with one unit."""
    milliseconds = round(value.total_seconds() * 1_000)
    if milliseconds % 1_000:
        return f"{milliseconds}ms"
    seconds = milliseconds // 1_000
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def parse_size(value: Any) -> Any:
    """Parse `64KiB`, `1MiB` or a bare number of bytes into an int."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("expected a number of bytes or one with a unit (KiB, MiB or GiB), like 64KiB")
    return int(match["number"]) * _BYTES[match["unit"]]


def show_size(value: int) -> str:
    """Format a size as a setting accepts it, in its largest whole unit."""
    for unit, length in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= length and value % length == 0:
            return f"{value // length}{unit}"
    return f"{value}B"


def parse_list(value: Any) -> Any:
    """Split `a, b` at its commas; return a sequence unchanged."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


@dataclass(frozen=True, slots=True)
class Step:
    """An interval that applies up to an age; the last step has no end."""

    every: timedelta
    until: timedelta | None = None

    def __str__(self) -> str:
        """Format the step as a setting accepts it."""
        end = "" if self.until is None else f" until {show_duration(self.until)}"
        return show_duration(self.every) + end


def parse_steps(value: Any) -> Any:
    """Parse `5s until 10m, 15s until 1h, 60s` into steps with growing ages; the last step has none."""
    if not isinstance(value, str):
        return value
    steps = tuple(_step(part) for part in value.split(","))
    ends = [step.until for step in steps[:-1] if step.until is not None]
    is_whole = len(ends) == len(steps) - 1 and steps[-1].until is None
    if not is_whole or ends != sorted(set(ends)):
        raise ValueError("expected growing ages and a last step without an age, like 5s until 10m, 15s until 1h, 60s")
    return steps


def _step(text: str) -> Step:
    every, until, age = text.partition(" until ")
    step = Step(parse_duration(every), parse_duration(age) if until else None)
    if step.every < _SHORTEST_STEP:
        raise ValueError("expected steps of 100ms or more")
    return step


@dataclass(frozen=True, slots=True)
class Label:
    """A key, and how people read it."""

    key: str
    label: str

    def __str__(self) -> str:
        """Format the label as a setting accepts it."""
        return f"{self.key}={self.label}"


def parse_labels(value: Any) -> Any:
    """Parse `case=Case number, team=Team` into labels."""
    if not isinstance(value, str):
        return value
    pairs = [
        (key.strip(), equals, label.strip())
        for key, equals, label in (entry.partition("=") for entry in parse_list(value))
    ]
    if not all(key and equals and label for key, equals, label in pairs):
        raise ValueError("expected key=label, or several separated by commas, like case=Case number,team=Team")
    return tuple(Label(key, label) for key, _, label in pairs)


class SizeUnit:
    """A marker for an int field in bytes, which tables show as `64KiB`."""


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size), SizeUnit()]
Names = Annotated[tuple[str, ...], BeforeValidator(parse_list)]
Labels = Annotated[tuple[Label, ...], BeforeValidator(parse_labels)]
Steps = Annotated[tuple[Step, ...], BeforeValidator(parse_steps)]
