"""The console, and layouts that stay readable in a narrow terminal.

Without a terminal no line is wrapped, so that grep finds whole entries.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from schemas.fields.visible_text import escaped
from schemas.times import span

WIDE = 110
"""Minimum width of the terminal for a table; a narrower terminal gets a few lines per entry."""

_UNWRAPPED = 10_000
_PROGRESS_SECONDS = 10.0
_INDENT = (0, 0, 0, 4)
_TIME_IN_TEXT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")


class _SafeConsole(Console):
    """A console that shows control and invisible characters as codes: a text of an earlier version may have them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Render, and escape the text of each segment."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else escaped(text), style, control)


def console() -> Console:
    """Return a console for standard output, without wrapping if it is no terminal."""
    terminal = _SafeConsole(highlight=False)
    if terminal.is_terminal or "COLUMNS" in os.environ:
        return terminal
    return _SafeConsole(highlight=False, width=_UNWRAPPED)


def stacked(head: str | Text, *lines: str | Text) -> list[RenderableType]:
    """Lay out one entry for a narrow terminal: its head, and its other lines indented."""
    return [head, *(Padding(Text(line) if isinstance(line, str) else line, _INDENT, expand=False) for line in lines)]


def table_of(
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    unwrapped: Collection[str] = (),
    heading: str = "bold",
) -> Table:
    """Lay out rows as a table without lines. The columns in `unwrapped` keep each value on one line."""
    table = Table(box=None, pad_edge=False, header_style=heading)
    for column in columns:
        table.add_column(column, no_wrap=column in unwrapped, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def local_time(text: str) -> str:
    """Return a time in local time, to the second, with offset: the one form of a time in the command line.

    A timeline shows the day above its entries, and of each entry the time with milliseconds.
    """
    return in_local_time(text).isoformat(sep=" ", timespec="seconds")


def with_local_times(sentence: str) -> str:
    """Return a sentence of the gateway with its times in local time."""
    return _TIME_IN_TEXT.sub(_replaced, sentence)


def _replaced(found: re.Match[str]) -> str:
    return local_time(found.group())


def in_local_time(text: str) -> datetime:
    """Return a time (RFC 3339) in the time zone of this machine."""
    return datetime.fromisoformat(text).astimezone()


def age(since: str | None, now: str) -> str:
    """Return the time between two timestamps in one unit, such as `12 min`; `?` if the first is unknown."""
    if since is None:
        return "?"
    return span((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds())


@contextmanager
def progress(activity: str) -> Iterator[None]:
    """Show the activity on a terminal."""
    errors = Console(stderr=True)
    if not errors.is_terminal:
        yield
        return
    with errors.status(f"{activity} …"):
        yield


@contextmanager
def progress_bar(verb: str, count: int) -> Iterator[Callable[[int], None]]:
    """Show how many are done: a bar on a terminal, else a line every 10 s. The caller passes the new number."""
    errors = Console(stderr=True)
    if count <= 1:
        yield lambda _: None
    elif errors.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}"),
        )
        with Progress(*columns, console=errors, transient=True) as bar:
            task, begun = bar.add_task(verb, total=count, pace=""), time.monotonic()
            yield lambda number: bar.update(
                task, completed=number, pace=pace(number, count - number, time.monotonic() - begun)
            )
    else:
        yield _progress_lines(errors, verb, count)


def _progress_lines(errors: Console, verb: str, count: int) -> Callable[[int], None]:
    begun = printed_at = time.monotonic()

    def advance(number: int) -> None:
        nonlocal printed_at
        now = time.monotonic()
        if now - printed_at > _PROGRESS_SECONDS:
            printed_at = now
            errors.print(f"{verb}: {number} of {count}, {pace(number, count - number, now - begun)}")

    return advance


def pace(done: int, left: int, seconds: float) -> str:
    """Return the rate of `done` in these seconds, and the time that `left` more need: `9.8/s, 84 min left`."""
    rate = done / max(seconds, 0.001)
    return f"{rate:.1f}/s, {span(left / rate)} left" if done else ""
