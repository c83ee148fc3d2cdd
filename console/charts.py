"""Charts as geometry of an SVG, beside a table with the same numbers. Pure; templates write the SVG and its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from console.api import models

WIDTH, HEIGHT = 600, 96
_MINUTES_PER_ROW = 10
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class ChartRow:
    """The counts of a few minutes, for the table."""

    at: str
    accepted: int
    finished: int


@dataclass(frozen=True, slots=True)
class ThroughputChart:
    """Accepted commands as an area and finished commands as a line, by minute.

    `accepted_path` and `finished_path` are SVG path data inside WIDTH × HEIGHT; `top` is the value at the upper edge.
    """

    since: str
    until: str
    top: int
    accepted_path: str
    finished_path: str
    accepted: int
    finished: int
    rows: tuple[ChartRow, ...]


def throughput(history: Sequence[models.MinuteCounts]) -> ThroughputChart | None:
    """Draw the history of an overview, oldest minute first. It omits the current minute, which has not ended."""
    minutes = history[:-1]
    if len(minutes) < 2:
        return None
    accepted, finished = [minute["accepted"] for minute in minutes], [minute["finished"] for minute in minutes]
    top = round_up(max(*accepted, *finished, 1))
    return ThroughputChart(
        since=minutes[0]["at"],
        until=history[-1]["at"],
        top=top,
        accepted_path=f"M0 {HEIGHT}V{_steps(accepted, top)}V{HEIGHT}Z",
        finished_path=f"M0 {_steps(finished, top)}",
        accepted=sum(accepted),
        finished=sum(finished),
        rows=_rows(minutes),
    )


def round_up(value: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 … that is not below the value."""
    power = 1
    while True:
        for step in _STEPS:
            if step * power >= value:
                return step * power
        power *= 10


def _steps(values: Sequence[int], top: int) -> str:
    """Return the steps of a path, one per value, from the height of the first: `90H10V80H20…`."""
    steps = (
        f"{HEIGHT - round(value * HEIGHT / top)}H{round(number * WIDTH / len(values))}"
        for number, value in enumerate(values, 1)
    )
    return "V".join(steps)


def _rows(minutes: Sequence[models.MinuteCounts]) -> tuple[ChartRow, ...]:
    numbered = groupby(enumerate(minutes), key=lambda pair: pair[0] // _MINUTES_PER_ROW)
    groups = [[minute for _, minute in pairs] for _, pairs in numbered]
    return tuple(
        ChartRow(
            at=group[0]["at"],
            accepted=sum(minute["accepted"] for minute in group),
            finished=sum(minute["finished"] for minute in group),
        )
        for group in groups
    )
