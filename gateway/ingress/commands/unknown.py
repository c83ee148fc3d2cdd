"""The unknown authorizations of each caller: those that Collate has never shown, and their bound (decision 0028).

Pure and synchronous; the caller of a method passes the time.
    learn   an ended command says how many the worker keeps in the partition, of its caller or of all people
    wait    the seconds until another command of a caller may be accepted in a partition; 0.0: now
The number is the worker's last one, less what it keeps for longer than a day: each unit counts for 25 hours. It falls
with the worker's, and a caller at its bound may try one command of each ten minutes, whose end tells it. A process that
starts has learned nothing; the first event in a partition tells it the worker's number there. So a service, and all
people of a prefix, exceed their bound only by what was unfinished, once more with each start, and by what they try. The
number of one person begins again, and is never above that of all people.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from schemas.callers import pool_of
from schemas.events import CommandDeadLettered, CommandFinished

MARK: Final = b'"unknownAuthorizations":'
"""Only an event that `learn` takes contains it: no value of an event has a quotation mark."""
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
        """Learn the number of an end whose authorization was unknown before it; `event` has the mark."""
        pool = pool_of(event.caller)
        told = event.unknown_authorizations or 0
        is_new = told > self._number((pool, partition), now)
        self._follow((pool, partition), told, now)
        if event.caller != pool and is_new:
            self._follow((event.caller, partition), self._number((event.caller, partition), now) + 1, now)

    def wait(self, caller: str, partition: int, now: float, *, is_close: bool = False) -> float:
        """Return the seconds until the caller may send a command; no colleague holds up a person's close.

        A wait of 0.0 at a full bound is the one try of these ten minutes.
        """
        pool = pool_of(caller)
        if (pool, partition) not in self._counts:  # nor has a person of it a count: both are learned together
            return 0.0
        bound, is_report = self._bound(), is_close and pool != caller
        wait = 0.0 if is_report else self._wait((pool, partition), bound, now)
        if pool == caller or (caller, partition) not in self._counts:
            return wait
        if (of_all := self._number((pool, partition), now)) < self._number((caller, partition), now):
            self._follow((caller, partition), of_all, now)
        return max(wait, self._wait((caller, partition), max(1, bound // PERSONS), now))

    def _follow(self, key: tuple[str, int], told: int, now: float) -> None:
        """Add what is new to the number of these ten minutes, or take what has left from the oldest."""
        counts = self._counted(key, now)
        slot = _slot_end(now)
        counts[slot] = counts.get(slot, 0) + max(0, told - sum(counts.values()))
        excess = sum(counts.values()) - told
        for until in [*counts]:
            taken = min(excess, counts[until])
            counts[until] -= taken
            excess -= taken
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
        if not wait:
            return 0.0
        slot = _slot_end(now)
        if slot not in counts:  # nothing was learned or tried in these ten minutes
            counts[slot] = 0
            return 0.0
        return min(wait, slot - _COUNTED_SECONDS - now)

    def _number(self, key: tuple[str, int], now: float) -> int:
        return sum(self._counted(key, now).values())

    def _counted(self, key: tuple[str, int], now: float) -> dict[float, int]:
        counts = self._counts.get(key, {})
        for until in [until for until in counts if until <= now]:
            del counts[until]
        return counts


def _slot_end(now: float) -> float:
    """Return until when counts what is learned at `now`."""
    return (now // _SLOT_SECONDS + 1) * _SLOT_SECONDS + _COUNTED_SECONDS
