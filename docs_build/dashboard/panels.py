"""The panels of the dashboard, in the order of an operator's questions. Pure data.

In an expression, `name` or `name|labels` between backticks is a metric of the gateway, bound to the release of the
dashboard. RATE is the window of Grafana's graphs. A stat shows the newest value; its first threshold is what is wrong.
"""

from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["short", "s", "ops", "percentunit", "bytes", "reqps"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `queries` are expressions with the legend of their series.

    Attributes:
        page: the section of docs/operations.md about it, for the link to the runbook.
        wrong: of a stat, the least value that is wrong; of a graph, the line of the goal.
    """

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: Unit = "short"
    page: str = "where-do-i-look-first"
    is_stat: bool = False
    wrong: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of panels that answer one question."""

    title: str
    panels: tuple[Panel, ...] = field(default=())


def stat(title: str, description: str, query: str, page: str, *, wrong: float = 1, unit: Unit = "short") -> Panel:
    """Return a panel with one number."""
    return Panel(title, description, ((query, ""),), unit, page, is_stat=True, wrong=wrong)


def quantiles(metric: str, by: str = "", legend: str = "") -> tuple[tuple[str, str], ...]:
    """Return the median and the 99th percentile of a histogram, by a label."""
    labels = f"{by}, le" if by else "le"
    return tuple(
        (f"histogram_quantile({share}, sum by ({labels}) (rate(`{metric}_bucket`[RATE])))", f"{legend} {name}".strip())
        for share, name in ((0.5, "median"), (0.99, "p99"))
    )


def rate(metric: str, by: str, legend: str | None = None) -> tuple[tuple[str, str], ...]:
    """Return the rate of a counter by a label."""
    return ((f"sum by ({by}) (rate(`{metric}`[RATE]))", legend or f"{{{{{by}}}}}"),)


def total(metric: str, legend: str) -> tuple[tuple[str, str], ...]:
    """Return the rate of a counter without labels."""
    return ((f"sum(rate(`{metric}`[RATE]))", legend),)


def mean(metric: str, legend: str) -> tuple[str, str]:
    """Return the mean of a histogram."""
    return f"sum(rate(`{metric}_sum`[RATE])) / sum(rate(`{metric}_count`[RATE]))", legend


def burn(slo: str, budget: float) -> str:
    """Return the share of a month's error budget that the last hour uses up, as a multiple of the even rate."""
    return f"`:{slo}_errors:ratio_rate1h` / {budget}"
