"""The unfinished commands of each caller, as this process knows them, and their bound (decision 0023).

Pure and synchronous; the caller of a method passes the time.
    take            a command that will be appended gets a place, unless a bound is full
    wait_for_place  a command is refused for the full bound: the seconds until a place is expected
    give_back       the command was certainly not appended
    refresh         `command.waiting`: the command is unfinished for sure
    end             `command.finished` or `command.dead_lettered`: the place is free
Invariant: a caller holds at most its bounds in all and in one partition. All people of a prefix count as one caller,
and each of them has a bound of its own. Closes have the same bounds once more, and a person's closes count alone: no
request and no colleague takes the place of a person's report. Records of links, reads, releases and decisions count
alone too, with a quarter of the places in a partition. For a day only their events free them, because a state that
cannot be read keeps them.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple

from schemas.callers import pool_of

# A repeat of an ended command, and an append without a result that stored nothing, have no event.
FORGET_SECONDS: Final = 15 * 60.0
LONGEST_FORGET_SECONDS: Final = 24 * 60 * 60.0  # the default of `worker.command_max_age`
# The rate of a caller is that of its last ends.
_ENDS: Final = 100
MIN_WAIT_SECONDS: Final = 1.0
MAX_WAIT_SECONDS: Final = FORGET_SECONDS
# No command of the caller has ended lately: the rate is unknown, and the worker may continue at any time.
UNKNOWN_WAIT_SECONDS: Final = 60.0
# The records of a caller have this part of the places of its commands in a partition.
RECORD_PART: Final = 4


class PlaceKind(Enum):
    """What takes a place: a request or watch, a close, or the record of a link, a read, a release or a decision."""

    REQUEST = "request"
    CLOSE = "close"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class UnfinishedBounds:
    """The most unfinished commands of a caller, of one person, and of a caller in one partition."""

    caller: int
    person: int
    partition: int


@dataclass(frozen=True, slots=True)
class CallerPace:
    """A caller's unfinished commands, and how many of its commands end per second."""

    unfinished: int
    ended_per_second: float


class _PoolKey(NamedTuple):
    """The pool of a command: what shares its bounds."""

    name: str
    kind: PlaceKind


def _pool_key(caller: str, kind: PlaceKind) -> _PoolKey:
    return _PoolKey(pool_of(caller) if kind is PlaceKind.REQUEST else caller, kind)


@dataclass(frozen=True, slots=True)
class _Place:
    partition: int
    person: str
    since: float


@dataclass(slots=True)
class _Pool:
    """The commands of a service or of all people of a prefix; the closes of a service or of one person."""

    kind: PlaceKind = PlaceKind.REQUEST
    places: OrderedDict[str, _Place] = field(default_factory=OrderedDict)  # by command id, the oldest `since` first
    by_person: Counter[str] = field(default_factory=Counter)
    by_partition: Counter[int] = field(default_factory=Counter)
    ends: deque[float] = field(default_factory=lambda: deque(maxlen=_ENDS))
    last_age: float = 0.0
    promised_until: float = 0.0

    def add(self, command_id: str, place: _Place) -> None:
        self.places[command_id] = place
        self.by_person[place.person] += 1
        self.by_partition[place.partition] += 1

    def remove(self, command_id: str) -> None:
        place = self.places.pop(command_id)
        self.by_partition[place.partition] -= 1
        self.by_person[place.person] -= 1
        if not self.by_person[place.person]:
            del self.by_person[place.person]  # the number of people has no bound

    def forget_after(self) -> float:
        """Return the age at which an id leaves without an event. A slow queue keeps its ids longer."""
        if self.kind is PlaceKind.RECORD:
            return LONGEST_FORGET_SECONDS
        return min(max(FORGET_SECONDS, 2 * self.last_age), LONGEST_FORGET_SECONDS)

    def rate(self, now: float) -> float:
        """Return the ends per second, over the time since the oldest end that counts."""
        while self.ends and now - self.ends[0] > FORGET_SECONDS:
            self.ends.popleft()
        return len(self.ends) / max(now - self.ends[0], 1.0) if self.ends else 0.0

    def wait(self, held_under_full: list[int], now: float) -> float:
        """Return the seconds until a place is expected, from the places that are held under each full bound.

        Commands end evenly over the places, so a bound with a part of them becomes free at that part of the rate.
        Each refusal is promised a later place, but none after the time in which all commands end.
        """
        if rate := self.rate(now):
            all_seconds = len(self.places) / rate
            latest = max(self.promised_until, now) + max(all_seconds / held for held in held_under_full)
            self.promised_until = min(latest, now + all_seconds)
            seconds = self.promised_until - now
        else:
            oldest = next(iter(self.places.values()))
            seconds = min(UNKNOWN_WAIT_SECONDS, oldest.since + self.forget_after() - now)
        return min(max(seconds, MIN_WAIT_SECONDS), MAX_WAIT_SECONDS)


class UnfinishedCommands:
    """The places of all callers."""

    def __init__(self, bounds: UnfinishedBounds) -> None:
        self._bounds = bounds
        self._pools: dict[_PoolKey, _Pool] = {}
        self._pool_of: dict[str, _PoolKey] = {}  # by command id

    def holds(self, command_id: str) -> bool:
        """Return whether the command has a place."""
        return command_id in self._pool_of

    def take(
        self, command_id: str, caller: str, partition: int, now: float, kind: PlaceKind = PlaceKind.REQUEST
    ) -> bool:
        """Give the command a place. Return False if a bound is full.

        A command that has a place keeps it, as of now: a later record of it follows.
        """
        if self.holds(command_id):
            self.refresh(command_id, now)
            return True
        key = _pool_key(caller, kind)
        pool = self._pools.get(key) or _Pool(kind)
        self._forget(pool, now)
        if self._held_under_full(pool, caller, partition):
            return False
        pool.add(command_id, _Place(partition, caller, now))
        self._pools[key] = pool
        self._pool_of[command_id] = key
        return True

    def wait_for_place(self, caller: str, partition: int, now: float, kind: PlaceKind = PlaceKind.REQUEST) -> float:
        """Return the seconds until a place is expected, for a command that is refused because `take` was False."""
        pool = self._pools[_pool_key(caller, kind)]
        return pool.wait(self._held_under_full(pool, caller, partition), now)

    def give_back(self, command_id: str) -> None:
        """Free the place of a command that was certainly not appended, if it has one."""
        if self.holds(command_id):
            self._remove(command_id)

    def refresh(self, command_id: str, now: float) -> None:
        """Keep the place of a command that is unfinished now, if it has one."""
        if (key := self._pool_of.get(command_id)) is not None:
            places = self._pools[key].places
            places[command_id] = replace(places[command_id], since=now)
            places.move_to_end(command_id)

    def end(self, command_id: str, now: float) -> None:
        """Free the place of a command that has ended or became a dead letter, if it has one."""
        if (key := self._pool_of.get(command_id)) is not None:
            pool = self._pools[key]
            pool.ends.append(now)
            pool.last_age = now - pool.places[command_id].since
            self._remove(command_id)

    def pace(self, caller: str, now: float) -> CallerPace:
        """Return the pace of the caller's closes, or of the other commands if more of these are unfinished."""
        pools = [self._pools.get(_pool_key(caller, kind)) or _Pool() for kind in (PlaceKind.REQUEST, PlaceKind.CLOSE)]
        fullest = max(pools, key=lambda pool: len(pool.places))
        return CallerPace(len(fullest.places), fullest.rate(now))

    def count(self, now: float) -> int:
        """Forget what is too old, and return the number of places that are held."""
        for pool in [*self._pools.values()]:
            self._forget(pool, now)
        return len(self._pool_of)

    def _held_under_full(self, pool: _Pool, caller: str, partition: int) -> list[int]:
        """Return the places that are held under each bound that is full."""
        in_partition = self._bounds.partition
        if pool.kind is PlaceKind.RECORD:
            in_partition = max(1, in_partition // RECORD_PART)
        bounds = [(len(pool.places), self._bounds.caller), (pool.by_partition[partition], in_partition)]
        if caller != pool_of(caller):
            bounds.append((pool.by_person[caller], self._bounds.person))
        return [held for held, bound in bounds if held >= bound]

    def _forget(self, pool: _Pool, now: float) -> None:
        after = pool.forget_after()
        while pool.places:
            command_id, oldest = next(iter(pool.places.items()))
            if now - oldest.since < after:
                return
            self._remove(command_id)

    def _remove(self, command_id: str) -> None:
        key = self._pool_of.pop(command_id)
        pool = self._pools[key]
        pool.remove(command_id)
        if not pool.places:
            del self._pools[key]
