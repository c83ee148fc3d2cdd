"""How much one caller may ask: a token bucket per caller, synchronous, fed with `now`.

Invariant: over any span of t seconds a caller gets at most burst + rate * t requests.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """A caller's tokens: `rate` of them a second, at most `burst` kept."""

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


class Buckets:
    """One bucket per caller name; a caller whose limits were changed starts with a full one."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def take(self, name: str, rate: float, burst: float, now: float) -> float:
        """Take one of the caller's tokens; seconds to wait if there is none."""
        bucket = self._buckets.get(name)
        if bucket is None or bucket.rate != rate or bucket.burst != burst:
            bucket = self._buckets[name] = Bucket(rate, burst, burst, now)
        return bucket.take(now)

    def keep_only(self, names: frozenset[str]) -> None:
        """Forget callers that are no longer known."""
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if name in names}
