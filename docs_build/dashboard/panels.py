"""The panels of the dashboard, in the order of an operator's questions: `panels.txt`.

    # A row
    ## A panel | stat or graph's unit | its section of docs/operations.md | what is wrong, or the line of the goal
    Its description.
    legend :: expression

In an expression, `name` or `name|labels` between backticks is a metric of the gateway, bound to the release of the
dashboard. RATE is the window of Grafana's graphs. A stat shows the newest value; its third word is what is wrong.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `queries` are expressions with the legend of their series."""

    title: str
    description: str
    queries: tuple[tuple[str, str], ...]
    unit: str
    page: str
    is_stat: bool
    wrong: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of panels that answer one question."""

    title: str
    panels: tuple[Panel, ...]


def _panel(text: str) -> Panel:
    head, description, *queries = text.strip().splitlines()
    title, unit, page, *wrong = head.split(" | ")
    found = [query.partition(":: ") for query in queries]
    return Panel(
        title,
        description,
        tuple((expression, legend.rstrip()) for legend, _, expression in found),
        unit.removeprefix("stat "),
        page,
        is_stat=unit.startswith("stat "),
        wrong=json.loads(wrong[0]) if wrong else None,
    )


def _row(text: str) -> Row:
    title, *panels = text.split("\n## ")
    return Row(title.strip(), tuple(map(_panel, panels)))


_TEXT: Final = Path(__file__).with_name("panels.txt").read_text(encoding="utf-8")
ROWS: Final = tuple(map(_row, f"\n{_TEXT}".split("\n# ")[1:]))
