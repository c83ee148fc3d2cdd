"""Which series grow after the warm-up. Pure.

Memory and handles may not grow, but for what the load explains: a worker keeps about 1.3 KiB for each authorization
(docs/capacity.md); the ingress remembers its last commands and outcomes up to a bound; no other process keeps
anything. Tables and topics grow with the load; their bytes for each command may not.

The rate of memory and handles is a slope with a 95 % confidence interval. Neighbouring samples depend on each other,
so the slope is that of ten means.

    interval above the least rate    grows
    interval below it                steady
    the rate is inside               unclear
    less than an hour                too short to tell
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from statistics import linear_regression, variance
from typing import Self

from local.soak.records import Sample
from runtime.settings.ingress import MOST_OUTCOMES, MOST_REPLAYS

HOUR = 3_600.0
# In a day 24 MiB or 24 handles: a process with 256 MiB to spare runs for ten days.
LEAST_PER_HOUR = {"bytes": float(1 << 20), "handles": 1.0}
LEAST_SECONDS = HOUR
MEANS = 10
# Student's t for 95 % and MEANS - 2 degrees of freedom.
STUDENT = 2.306
PER_COMMAND = 1.5
# Files grow in steps: a smaller growth shows nothing.
LEAST_GROWTH_BYTES = 4 << 20
BYTES_OF_AUTHORIZATION = 2_048
# Measured: 433 bytes for a command of `Replays`, 1.4 KiB for an outcome of `Waiters`.
BYTES_OF_COMMAND, BYTES_OF_OUTCOME = 512, 1_536
FEWEST_SAMPLES = 6
WARM_UP_SHARE, WARM_UP_SECONDS = 0.4, 900.0


@dataclass(frozen=True, slots=True)
class Series:
    """One measured value over time: seconds since the session's begin, and the value."""

    name: str
    unit: str
    points: tuple[tuple[float, float], ...]

    def after(self, seconds: float) -> Self:
        """Return the later part."""
        return type(self)(self.name, self.unit, tuple(point for point in self.points if point[0] >= seconds))

    @property
    def slope(self) -> float:
        """The growth in a second, by least squares; 0 without two points."""
        return slope_of(self.points)


def slope_of(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line with the least squares."""
    return linear_regression(*zip(*points, strict=True)).slope if len(points) > 1 else 0.0


def warm_up_of(seconds: float) -> float:
    """Return how much of a session is warm-up: 15 minutes, at most two fifths."""
    return min(WARM_UP_SECONDS, WARM_UP_SHARE * seconds)


class Trend(Enum):
    """What a series shows; the value is the page's word."""

    GROWS = "grows"
    STEADY = "steady"
    UNCLEAR = "unclear"
    TOO_SHORT = "too short to tell"


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of memory or handles in an hour beyond what the load explains, within ± `margin`."""

    trend: Trend
    per_hour: float = 0.0
    margin: float = 0.0


def explained(name: str, sample: Sample) -> float:
    """Return the bytes or handles that a process keeps for the load at a sample."""
    if name.startswith("memory worker"):
        return float(BYTES_OF_AUTHORIZATION * sample.authorizations)
    if name.startswith("memory ingress"):
        commands = BYTES_OF_COMMAND * min(sample.accepted, MOST_REPLAYS)
        return float(commands + BYTES_OF_OUTCOME * min(sample.ended, MOST_OUTCOMES))
    return 0.0


def growth_of(series: Series) -> Growth:
    """Judge the part of a series after the warm-up, less what the load explains."""
    points = series.points
    seconds = points[-1][0] - points[0][0] if points else 0.0
    if seconds < LEAST_SECONDS or len(points) < 2 * MEANS:
        return Growth(Trend.TOO_SHORT)
    slope, margin = (HOUR * value for value in _slope_and_margin(_means(points)))
    least = LEAST_PER_HOUR[series.unit]
    trend = Trend.UNCLEAR
    if slope - margin > least:
        trend = Trend.GROWS
    elif slope + margin < least:
        trend = Trend.STEADY
    return Growth(trend, slope, margin)


def _means(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    edges = [len(points) * number // MEANS for number in range(MEANS + 1)]
    parts = [points[begin:end] for begin, end in pairwise(edges)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def _slope_and_margin(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    times, values = zip(*points, strict=True)
    slope, intercept = linear_regression(times, values)
    errors = sum((value - intercept - slope * time) ** 2 for time, value in points)
    spread = variance(times) * (len(points) - 1)
    return slope, STUDENT * math.sqrt(errors / (len(points) - 2) / spread)


def grows_per_command(series: Series, commands: Series) -> str | None:
    """Say that a table or topic takes more bytes for each command in the second half than in the first.

    A compacted topic or a table that is vacuumed takes fewer.
    """
    if len(series.points) < FEWEST_SAMPLES or len(series.points) != len(commands.points):
        return None
    middle = len(series.points) // 2
    halves = []
    for begin, end in pairwise((0, middle, len(series.points) - 1)):
        ended = commands.points[end][1] - commands.points[begin][1]
        halves.append((series.points[end][1] - series.points[begin][1]) / ended if ended else 0.0)
    before, after = halves
    if series.points[-1][1] - series.points[middle][1] < LEAST_GROWTH_BYTES:
        return None
    if before <= 0 or after <= PER_COMMAND * before:
        return None
    return f"{series.name} took {before:.0f} bytes for each command, then {after:.0f}"
