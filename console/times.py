"""Times as pages show them: ages, time left and clocks. Pure; every function receives `now`.

These texts are what a browser without JavaScript shows. `static/console.js` updates them by the same rules.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from schemas.times import parse_time, span

_TIME_IN_TEXT = re.compile(r"(\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)")


def age(since: str, now: datetime) -> str:
    """Return how long ago a time was."""
    return span((now - parse_time(since)).total_seconds())


def left(until: str, now: datetime) -> str:
    """Return how long it is until a time; empty once it has passed."""
    seconds = (parse_time(until) - now).total_seconds()
    return span(seconds) if seconds > 0 else ""


def clock(time: str, now: datetime) -> str:
    """Return a time in UTC: of the same day only the time of day, else the date too."""
    moment = parse_time(time)
    return f"{moment:%H:%M:%S}" if moment.date() == now.astimezone(UTC).date() else f"{moment:%Y-%m-%d %H:%M:%S}"


def full(time: str) -> str:
    """Return a time in UTC to the second, with its zone."""
    return f"{parse_time(time):%Y-%m-%d %H:%M:%S} UTC"


def time_of_day(time: str) -> str:
    """Return the time of day of a time, in UTC."""
    return f"{parse_time(time):%H:%M:%S}"


def day(time: str) -> str:
    """Return the day of a time, in UTC."""
    return f"{parse_time(time):%Y-%m-%d}"


def is_after(time: str, now: datetime) -> bool:
    """Return whether a time is in the future."""
    return parse_time(time) > now


def seconds_between(since: str, until: datetime) -> float:
    """Return the seconds from a time on the wire to another one; negative if the first is later."""
    return (until - parse_time(since)).total_seconds()


def midnight(now: datetime, days_back: int = 0) -> datetime:
    """Return the beginning of the day in UTC, or of an earlier day."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days_back)


def split_times(sentence: str) -> tuple[str, ...]:
    """Split a sentence of the gateway at its times: every second part is a time, the others are text."""
    return tuple(_TIME_IN_TEXT.split(sentence))


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "age": age,
    "left": left,
    "clock": clock,
    "utc": full,
    "time_of_day": time_of_day,
    "day": day,
    "is_after": is_after,
    "split_times": split_times,
}
"""The filters of the templates, by name."""
