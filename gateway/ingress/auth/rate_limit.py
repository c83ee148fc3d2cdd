"""Request rates of callers: a token bucket per caller. Synchronous; the caller of a method passes the time.

Invariant: in any span of t seconds a caller gets at most burst + rate * t requests, while it is among the
`MOST_BUCKETS` callers that were seen last.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

# Every person with a valid token is a caller, so only this bounds the memory.
MOST_BUCKETS: Final = 10_000


@dataclass(slots=True)
class Bucket:
    """The tokens of one caller: `rate` new ones per second, at most `burst` in store."""

    rate: float
    burst: float
    tokens: float
    filled_at: float

    def take(self, now: float, count: int = 1) -> tuple[int, float]:
        """Take up to `count` tokens; return how many, and the seconds until the others are in store (0: all taken).

        The store holds at most a burst, so the seconds are at most those of a full store.
        """
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        taken = min(count, int(self.tokens))
        self.tokens -= taken
        return taken, max(0.0, min(count - taken, self.burst) - self.tokens) / self.rate if taken < count else 0.0


class RateLimits:
    """One bucket per caller name. A caller whose limits have changed starts with a full bucket."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str, rate: float, burst: float, now: float) -> float:
        """Take one of the caller's tokens and return 0, or return the seconds until there is one."""
        return self.take_some(name, rate, burst, now, 1)[1]

    def take_some(self, name: str, rate: float, burst: float, now: float, count: int) -> tuple[int, float]:
        """Take up to `count` of the caller's tokens; return how many, and the seconds until the others are in store."""
        bucket = self._buckets.get(name)
        if bucket is None or bucket.rate != rate or bucket.burst != burst:
            bucket = self._buckets[name] = Bucket(rate, burst, burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        return bucket.take(now, count)

    def __len__(self) -> int:
        return len(self._buckets)
