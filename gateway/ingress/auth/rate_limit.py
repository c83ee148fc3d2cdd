"""Request rates of callers: a token bucket per caller. Synchronous; the caller of a method passes the time.

Invariant: in any span of t seconds a caller gets at most burst + rate * t requests.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """The tokens of one caller: `rate` new ones per second, at most `burst` in store."""

    rate: float
    burst: float
    tokens: float
    filled_at: float

    def take(self, now: float) -> float:
        """Take one token and return 0, or return the seconds until there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.rate


class RateLimits:
    """One bucket per caller name. A caller whose limits have changed starts with a full bucket."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def take(self, name: str, rate: float, burst: float, now: float) -> float:
        """Take one of the caller's tokens and return 0, or return the seconds until there is one."""
        bucket = self._buckets.get(name)
        if bucket is None or bucket.rate != rate or bucket.burst != burst:
            bucket = self._buckets[name] = Bucket(rate, burst, burst, now)
        return bucket.take(now)

    def keep_only(self, names: AbstractSet[str]) -> None:
        """Remove the buckets of all other callers."""
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if name in names}
