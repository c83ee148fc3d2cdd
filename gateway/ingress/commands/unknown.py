"""The unknown authorizations of each caller: those that Collate has never shown, and their bound (decision 0028).

Pure and synchronous; the caller of a method passes the time.
    learn   an ended command says how many the worker keeps in the partition, of its caller or of all people
    wait    the seconds until another command of a caller may be accepted in a partition; 0.0: now
Each event counts at least once, and for 25 hours: the worker keeps the state for a day, and up to an hour more. A
process that starts has learned nothing; the first event in a partition tells it the worker's number there. So a
service, and all people of a prefix, exceed their bound only by what was unfinished, once more with each start. The
number of one person begins again.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from schemas.callers import pool_of
from schemas.events import CommandDeadLettered, CommandFinished

MARK: Final = b'"unknownAuthorizations":'
"""Only the event of an unknown authorization contains it: no value of an event has a quotation mark."""
PERSONS: Final = 10
"""One person may have a tenth of what all people of a prefix may have."""
# As long as the worker may keep a state. Else its number would be told again, and count as new.
_COUNTED_SECONDS: Final = 25 * 60 * 60.0
_SLOT_SECONDS: Final = 600.0  # numbers of ten minutes leave together, so that a name has at most 151


class UnknownCounts:
    """What counts to each name in each partition: a service, a person, all people of a prefix."""

    def __init__(self, bound: Callable[[], int]) -> None:
        """`bound` returns the most that counts to one caller, or to all people of a prefix, in one partition."""
        self._bound = bound
        # By name and partition, the least recently learned first: until when each number counts, in order.
        self._counts: OrderedDict[tuple[str, int], dict[float, int]] = OrderedDict()

    def learn(self, event: CommandFinished | CommandDeadLettered, partition: int, now: float) -> None:
        """Count an ended command of an unknown authorization; `event` has the mark."""
        pool = pool_of(event.caller)
        self._add((pool, partition), event.unknown_authorizations or 1, now)
        if event.caller != pool:
            self._add((event.caller, partition), 1, now)

    def wait(self, caller: str, partition: int, now: float, *, is_close: bool = False) -> float:
        """Return the seconds until less than the bound counts to the caller. No colleague holds up a person's close."""
        pool = pool_of(caller)
        if (pool, partition) not in self._counts:  # nor has a person of it a count: both are learned together
            return 0.0
        bound, is_report = self._bound(), is_close and pool != caller
        wait = 0.0 if is_report else self._wait((pool, partition), bound, now)
        return wait if pool == caller else max(wait, self._wait((caller, partition), max(1, bound // PERSONS), now))

    def _add(self, key: tuple[str, int], told: int, now: float) -> None:
        counts = self._counted(key, now)
        until = (now // _SLOT_SECONDS + 1) * _SLOT_SECONDS + _COUNTED_SECONDS
        counts[until] = counts.get(until, 0) + max(1, told - sum(counts.values()))
        self._counts[key] = counts
        self._counts.move_to_end(key)
        oldest = next(iter(self._counts))
        if not self._counted(oldest, now):
            del self._counts[oldest]

    def _wait(self, key: tuple[str, int], most: int, now: float) -> float:
        counts = self._counted(key, now)
        left, wait = sum(counts.values()), 0.0
        for until, number in counts.items():
            if left < most:
                break
            left, wait = left - number, until - now
        return wait

    def _counted(self, key: tuple[str, int], now: float) -> dict[float, int]:
        counts = self._counts.get(key, {})
        for until in [until for until in counts if until <= now]:
            del counts[until]
        return counts
