"""The page of a soak: one HTML file that loads nothing. Pure: sessions in, text out."""

import html
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from local.soak.growth import HOUR, Growth, Series, Trend, explained, grows_per_command, growth_of, warm_up_of
from local.soak.records import Session

WIDTH, HEIGHT = 860, 120
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}.good{color:#06622b}.bad{color:#a40000}"
    "svg{background:#fafafa;display:block}figcaption{font-size:13px}figure{margin:1em 0}"
)


def series_of(session: Session) -> list[Series]:
    """Return each measured value of a session over time."""
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for sample in session.samples:
        for name, value in sample.values.items():
            points[name].append((sample.at, value))
    return [Series(name, _unit_of(name), tuple(of_name)) for name, of_name in points.items()]


def _unit_of(name: str) -> str:
    return "handles" if name.startswith("handles") else "bytes"


def growths_of(session: Session) -> list[tuple[Series, Growth]]:
    """Return memory and handles after the warm-up, each with its growth beyond what the load explains."""
    samples = {sample.at: sample for sample in session.samples}
    found = []
    for series in series_of(session):
        if series.name.startswith(("memory", "handles")):
            part = series.after(warm_up_of(session.seconds))
            beyond = tuple((at, value - explained(part.name, samples[at])) for at, value in part.points)
            found.append((part, growth_of(replace(part, points=beyond))))
    return found


def growth_problems(session: Session) -> list[str]:
    """Return a sentence for each series that grows after the warm-up."""
    found = []
    for part, growth in growths_of(session):
        if growth.trend is Trend.GROWS:
            found.append(f"{part.name} grows by {_rate(part, growth)} more than the load explains")
    # A sample during a restart of the database has no tables, so the commands follow the series.
    ended = {sample.at: float(sample.ended) for sample in session.samples}
    for series in series_of(session):
        if series.name.startswith(("table", "topic")):
            part = series.after(warm_up_of(session.seconds))
            commands = Series("commands", "commands", tuple((at, ended[at]) for at, _ in part.points))
            found += [growth for growth in [grows_per_command(part, commands)] if growth is not None]
    return found


def _rate(series: Series, growth: Growth) -> str:
    unit, per = _scale(series)
    return f"{growth.per_hour / per:+.2f} ± {growth.margin / per:.2f} {unit}/h"


def _scale(series: Series) -> tuple[str, int]:
    return ("MiB", 1 << 20) if series.unit == "bytes" else ("handles", 1)


def problems_of(sessions: Sequence[Session]) -> list[str]:
    """Return every reason for which a soak fails."""
    found = []
    for number, session in enumerate(sessions, start=1):
        found += [f"session {number}: {problem}" for problem in [*(session.broken or ()), *growth_problems(session)]]
    return found


def render(sessions: Sequence[Session], wanted_hours: float) -> str:
    """Return the page."""
    seconds = sum(session.seconds for session in sessions)
    problems = problems_of(sessions)
    unjudged = [number for number, session in enumerate(sessions, start=1) if session.broken is None]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Soak of the Collate handoff gateway</title>",
        f"<style>{_STYLE}</style><h1>Soak</h1>",
        f"<p>Ran {_duration(seconds)} of {_duration(wanted_hours * HOUR)}, in {len(sessions)} session(s).</p>",
        _verdict(problems, unjudged, sessions),
    ]
    for number, session in enumerate(sessions, start=1):
        parts += _session(number, session)
    return "\n".join(parts) + "\n"


def _verdict(problems: list[str], unjudged: list[int], sessions: Sequence[Session]) -> str:
    left = f" Interrupted before the verdict, not judged: session {', '.join(map(str, unjudged))}." if unjudged else ""
    if problems:
        items = "".join(f"<li>{html.escape(problem)}</li>" for problem in problems[:50])
        return f"<p class=bad>{len(problems)} problem(s).{left}</p><ul class=bad>{items}</ul>"
    return f"<p class=good>Every judged promise was kept.{left} {growth_sentence(sessions)}</p>"


def growth_sentence(sessions: Sequence[Session]) -> str:
    """Say what is known about growth where no series is known to grow."""
    growths = [growth for session in sessions for growth in growths_of(session)]
    if any(growth.trend is Trend.UNCLEAR for _, growth in growths):
        names = sorted({part.name for part, growth in growths if growth.trend is Trend.UNCLEAR})
        return f"Whether these grow after the warm-up is unclear: {', '.join(names)}."
    if not growths or any(growth.trend is Trend.TOO_SHORT for _, growth in growths):
        return "Growth: too short to tell. It needs 60 minutes after the warm-up."
    return "Nothing grows after the warm-up."


def _session(number: int, session: Session) -> Iterator[str]:
    began = datetime.fromtimestamp(session.began, UTC)
    yield f"<h2>Session {number}</h2>"
    yield (
        f"<p>Began {began:%Y-%m-%d %H:%M:%S} UTC, {_duration(session.seconds)}, "
        f"version {html.escape(session.version)}, seed {session.seed}. "
        f"Warm-up: {_duration(warm_up_of(session.seconds))}.</p>"
    )
    facts = {**session.judged, "broken promises": "not judged" if session.broken is None else len(session.broken)}
    yield _table(("promises", ""), [(name, str(value)) for name, value in facts.items()])
    faults = [(fault.kind, f"{fault.begin:.0f} s", f"{fault.end:.0f} s") for fault in session.faults]
    yield "<h3>Faults</h3>" + _table(("", "from", "to"), faults)
    yield "<h3>Command to end</h3>" + _latency(session)
    yield "<h3>Growth</h3>" + _slopes(session)
    for series in series_of(session):
        yield _chart(series, session.seconds)


def _latency(session: Session) -> str:
    by_hour: dict[int, list[float]] = defaultdict(list)
    for sample in session.samples:
        by_hour[int(sample.at // HOUR)] += sample.latencies
    rows = [
        (f"hour {hour + 1}", str(len(of)), *(f"{_quantile(of, share):.2f} s" for share in (0.5, 0.99, 1.0)))
        for hour, of in sorted(by_hour.items())
        if of
    ]
    return _table(("", "commands", "median", "99 %", "longest"), rows)


def _slopes(session: Session) -> str:
    growths = {part.name: growth for part, growth in growths_of(session)}
    rows = []
    for series in series_of(session):
        part = series.after(warm_up_of(session.seconds))
        if part.points:
            unit, per = _scale(part)
            growth = growths.get(part.name)
            rate = f"{part.slope * HOUR / per:+.2f} {unit}/h"
            beyond = "" if growth is None or growth.trend is Trend.TOO_SHORT else _rate(part, growth)
            trend = growth.trend.value if growth else "with the load"
            rows.append(
                (part.name, f"{part.points[0][1] / per:.1f}", f"{part.points[-1][1] / per:.1f}", rate, beyond, trend)
            )
    return _table(("after the warm-up", "first", "last", "slope", "beyond the load, 95 %", ""), rows)


def _chart(series: Series, seconds: float) -> str:
    highest = max((value for _, value in series.points), default=0.0) or 1.0
    points = " ".join(
        f"{at / max(seconds, 1.0) * WIDTH:.1f},{HEIGHT - value / highest * (HEIGHT - 10):.1f}"
        for at, value in series.points
    )
    top = f"{highest / (1 << 20):.1f} MiB" if series.unit == "bytes" else f"{highest:.0f}"
    return (
        f"<figure><figcaption>{html.escape(series.name)}, up to {top}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{html.escape(series.name)} over time"><polyline fill="none" stroke="#1b62a5" stroke-width="1.5" '
        f'points="{points}"/></svg></figure>'
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def _duration(seconds: float) -> str:
    if seconds >= HOUR:
        return f"{seconds / HOUR:.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
