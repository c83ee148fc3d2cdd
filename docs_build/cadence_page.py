"""The table of reaction times and calls in docs/subscribing.md, made from the cadence's defaults."""

from collections.abc import Iterator
from typing import Final

from consumers.watcher.cadence import JITTER, PollClass
from runtime.settings import WatchSettings
from runtime.units import Step, show_duration

BEGIN: Final = "<!-- Made by `make docs`; don't edit. -->\n"
END: Final = "<!-- End -->\n"
_HOUR: Final = 3_600.0
_WHILE: Final = {
    PollClass.ENDED: "a handoff has ended, and Collate reconciles it",
    PollClass.ACCESS: "a handoff is open, and its operator waits for access",
    PollClass.OPEN: "a handoff is open, and its operator has access",
    PollClass.PROCESSING: "Collate processes the authorization",
    PollClass.ACTION: "an action is required",
    PollClass.PAYER: "the payer decides",
}


def mean_seconds(step: Step, jitter: float) -> float:
    """Return the mean time from a change at a random moment to the observation that shows it."""
    # A change falls into a longer gap more often: E[g²] / 2 E[g], for gaps uniform in s (1 ± j).
    return step.every.total_seconds() / 2 * (1 + jitter**2 / 3)


def worst_seconds(step: Step, jitter: float) -> float:
    """Return the longest time from a change to the observation that shows it."""
    return step.every.total_seconds() * (1 + jitter)


def observations_per_hour(step: Step) -> float:
    """Return the observations of one authorization per hour."""
    return _HOUR / step.every.total_seconds()


def table(watch: WatchSettings) -> str:
    """Return the table between its marks."""
    return BEGIN + "\n" + "".join(f"| {' | '.join(row)} |\n" for row in _rows(watch)) + "\n" + END


def put_into(page: str) -> str:
    """Return the page with the table of today's defaults."""
    head, _, rest = page.partition(BEGIN)
    return head + table(WatchSettings()) + rest.partition(END)[2]


def _rows(watch: WatchSettings) -> Iterator[tuple[str, ...]]:
    yield "class (`watch.…`)", "while", "no news for", "observed every", "mean", "at most", "observations per hour"
    yield "---", "---", "---", "---", "---", "---", "---"
    for poll_class in PollClass:
        since = "0s"
        for step in getattr(watch, poll_class.value):
            until = "" if step.until is None else f" to {show_duration(step.until)}"
            yield (
                f"`{poll_class.value}`",
                _WHILE[poll_class] if since == "0s" else "",
                f"{since}{until}" if until else f"{since} or longer",
                show_duration(step.every),
                _shown(mean_seconds(step, JITTER)),
                _shown(worst_seconds(step, JITTER)),
                f"{observations_per_hour(step):,g}",
            )
            since = show_duration(step.until) if step.until else since


def _shown(seconds: float) -> str:
    for unit, length in (("s", 1.0), ("min", 60.0)):
        if seconds < 90 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds / _HOUR:.3g} h"
