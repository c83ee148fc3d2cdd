"""The picture of the dashboard for docs/operations.md: an SVG of recorded query results, without fonts or scripts.

`python -m tests.alerts.record` records them from a chaos run.
"""

import json
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from docs_build.dashboard.panels import ROWS, Panel

Series = list[dict[str, Any]]

_WIDTH: Final = 1_440
_GRAPH: Final = (3, 170)  # graphs in a row, and their height
_STAT: Final = (7, 74)
_GAP: Final = 10
_COLOURS: Final = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#c4162a", "#8f7500")
_GOOD, _BAD, _LINE, _TEXT, _DIM = "#56a64b", "#c4162a", "#d8d9da", "#24292e", "#6e7781"
_FONT: Final = "font-family: DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"


def picture(recorded: str) -> str:
    """Return the SVG of a recording, a JSON text."""
    found = json.loads(recorded)
    parts, y = [], 34
    for row in ROWS:
        parts.append(_text(_GAP, y + 16, row.title, size=15, weight="bold"))
        y += 26
        columns, height = _STAT if row.panels[0].is_stat else _GRAPH
        width = (_WIDTH - _GAP * (columns + 1)) / columns
        for number, panel in enumerate(row.panels):
            x = _GAP + (number % columns) * (width + _GAP)
            top = y + (number // columns) * (height + _GAP)
            parts += _panel(panel, found["panels"].get(panel.title, []), (x, top, width, height))
        y += -(-len(row.panels) // columns) * (height + _GAP) + 6
    title = f"The dashboard during `{found['run']}`: {found['seconds']} s of faults, a sample each second"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" style="{_FONT}">',
            f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>',
            _text(_GAP, 24, title, size=13, colour=_DIM),
            *parts,
            "</svg>\n",
        )
    )


def _panel(panel: Panel, series: Series, place: tuple[float, float, float, float]) -> Iterator[str]:
    x, y, width, height = place
    series = [one for one in series if any(value is not None for value in one["values"])]
    last = next((value for one in series for value in reversed(one["values"]) if value is not None), None)
    fill = "#ffffff"
    if panel.is_stat and last is not None and panel.wrong is not None:
        fill = _BAD if last >= panel.wrong else _GOOD
    yield f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height}" fill="{fill}" stroke="{_LINE}" rx="3"/>'
    colour = "#ffffff" if panel.is_stat and last is not None else _TEXT
    yield _text(x + 8, y + 17, panel.title, size=12, weight="bold", colour=colour)
    if last is None:
        yield _text(x + 8, y + 40, "no data in this run", size=11, colour=_DIM)
    elif panel.is_stat:
        yield _text(x + 8, y + 54, _shown(last, panel.unit), size=26, weight="bold", colour=colour)
    else:
        yield from _graph(panel, series, (x + 8, y + 26, width - 16, height - 62))
        yield from _legend(series, x + 8, y + height - 22, width - 16)


def _graph(panel: Panel, series: Series, place: tuple[float, float, float, float]) -> Iterator[str]:
    x, y, width, height = place
    highest = max(value for one in series for value in one["values"] if value is not None)
    if panel.wrong is not None and panel.wrong <= 2 * highest:
        highest = max(highest, panel.wrong)
    highest = highest or 1.0
    yield f'<path d="M{x:.0f} {y + height:.0f}h{width:.0f}" stroke="{_LINE}"/>'
    yield _text(x + width, y + 9, _shown(highest, panel.unit), size=9, colour=_DIM, anchor="end")
    for number, one in enumerate(series):
        step = width / max(1, len(one["values"]) - 1)
        path, is_drawing = [], False
        for place_of, value in enumerate(one["values"]):
            if value is not None:
                path.append(
                    f"{'L' if is_drawing else 'M'}{x + place_of * step:.1f} {y + height * (1 - value / highest):.1f}"
                )
            is_drawing = value is not None
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
    if panel.wrong is not None and panel.wrong <= highest:
        at = y + height * (1 - panel.wrong / highest)
        yield f'<path d="M{x:.0f} {at:.1f}h{width:.0f}" stroke="{_BAD}" stroke-dasharray="5 4"/>'


def _legend(series: Series, x: float, y: float, width: float) -> Iterator[str]:
    start, line = x, 0
    for number, one in enumerate(series):
        legend = one["legend"].replace("collate-gateway.", "").removesuffix(".v1")
        needed = 18 + 5.6 * len(legend)
        if start + needed > x + width:
            start, line = x, line + 1
        if line > 1:
            return
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<rect x="{start:.0f}" y="{y + line * 13 - 7:.0f}" width="8" height="3" fill="{colour}"/>'
        yield _text(start + 11, y + line * 13 - 1, legend, size=9, colour=_DIM)
        start += needed


def _shown(value: float, unit: str) -> str:
    match unit:
        case "s" if 0 < value < 1:
            return f"{value * 1_000:.3g} ms"
        case "s":
            return f"{value:.3g} s"
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "bytes":
            return f"{value / 2**20:.0f} MiB"
        case "ops" | "reqps":
            return f"{value:.3g}/s"
        case _:
            return f"{value:.3g}"


def _text(
    x: float, y: float, text: str, *, size: int, weight: str = "normal", colour: str = _TEXT, anchor: str = "start"
) -> str:
    style = f'font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{escape(text)}</text>'
