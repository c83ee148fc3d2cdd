"""Which series grow after the warm-up. Pure.

Memory and handles may not grow, but for what the load explains: a worker keeps about 1.3 KiB for each authorization
(docs/capacity.md). Tables and topics grow with the load; their bytes for each command may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MEMORY_SHARE, MEMORY_BYTES = 0.10, 24 << 20
HANDLES_SHARE, HANDLES = 0.25, 24
PER_COMMAND = 1.5
# Files grow in steps: a smaller growth shows nothing.
LEAST_GROWTH_BYTES = 4 << 20
BYTES_OF_AUTHORIZATION = 2_048
FEWEST_SAMPLES = 6
WARM_UP_SHARE, WARM_UP_SECONDS = 0.4, 900.0


@dataclass(frozen=True, slots=True)
class Series:
    """One measured value over time: seconds since the session's begin, and the value."""

    name: str
    unit: str
    points: tuple[tuple[float, float], ...]

    def after(self, seconds: float) -> "Series":
        """Return the later part."""
        return Series(self.name, self.unit, tuple(point for point in self.points if point[0] >= seconds))

    @property
    def slope(self) -> float:
        """The growth in a second, by least squares; 0 without two points."""
        return slope_of(self.points)

    @property
    def growth(self) -> float:
        """The growth over the whole series, along the slope."""
        return self.slope * (self.points[-1][0] - self.points[0][0]) if len(self.points) > 1 else 0.0


def slope_of(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line with the least squares."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def warm_up_of(seconds: float) -> float:
    """Return how much of a session is warm-up: 15 minutes, at most two fifths."""
    return min(WARM_UP_SECONDS, WARM_UP_SHARE * seconds)


def grows(series: Series, authorizations: float) -> str | None:
    """Say in a sentence that memory or handles grow; None if they do not, or if there are too few samples.

    `series` is the part after the warm-up; `authorizations` were added in that time.
    """
    if len(series.points) < FEWEST_SAMPLES:
        return None
    mean = sum(value for _, value in series.points) / len(series.points)
    if series.unit == "bytes":
        explained, least, share = BYTES_OF_AUTHORIZATION * authorizations, MEMORY_BYTES, MEMORY_SHARE
    else:
        explained, least, share = 0.0, HANDLES, HANDLES_SHARE
    unexplained = series.growth - explained
    if unexplained <= max(least, share * mean):
        return None
    return f"{series.name} grew by {_amount(unexplained, series.unit)} after the warm-up, more than the load explains"


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


def _amount(value: float, unit: str) -> str:
    return f"{value / (1 << 20):.1f} MiB" if unit == "bytes" else f"{value:.0f} {unit}"
