"""The table of reaction times in docs/subscribing.md, made from the cadence's defaults."""

from collections.abc import Iterator
from typing import Final

from consumers.watcher.cadence import JITTER, PollClass
from docs_build.markdown import table
from runtime.environ import show_value
from runtime.settings import WatchSettings
from runtime.units import Step

_HOUR: Final = 3_600.0
_WHILE: Final = {
    PollClass.ENDED: "a handoff has ended, and Collate reconciles it",
    PollClass.ACCESS: "a handoff is open, and its operator waits for access",
    PollClass.OPEN: "a handoff is open, and its operator has access",
    PollClass.PROCESSING: "Collate processes the authorization",
    PollClass.ACTION: "an action is required",
    PollClass.PAYER: "the payer decides",
}


def worst_seconds(step: Step, jitter: float) -> float:
    """Return the longest time from a change to the observation that shows it."""
    return step.every.total_seconds() * (1 + jitter)


def part() -> str:
    """Return the table of today's defaults."""
    head = ("class (`watch.…`)", "while", "observed every", "a change is seen after at most")
    return table(head, _rows(WatchSettings()))


def _rows(watch: WatchSettings) -> Iterator[tuple[str, ...]]:
    for poll_class in PollClass:
        steps = getattr(watch, poll_class.value)
        shown = show_value(WatchSettings, (poll_class.value,), steps).replace(",", ", ")
        worst = ", ".join(_shown(worst_seconds(step, JITTER)) for step in steps)
        yield f"`{poll_class.value}`", _WHILE[poll_class], shown, worst


def _shown(seconds: float) -> str:
    for unit, length in (("s", 1.0), ("min", 60.0)):
        if seconds < 90 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / _HOUR:.3g} h"
