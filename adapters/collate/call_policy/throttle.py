"""The rate and the number of calls that Collate takes now. Pure."""

from typing import Final


class Throttle:
    """The share of the bounds that Collate takes now: 1 without refusals. It sets calls per second and in flight.

    A refusal because of load cuts the share, an outage ends at a twentieth. It returns linearly in `ramp_seconds`.
    Calls per second are a token bucket.
    """

    _LEAST: Final = 0.05
    _CUT: Final = 0.7
    _CUT_EVERY_SECONDS: Final = 1.0

    def __init__(self, per_second: float, concurrency: int, ramp_seconds: float, now: float) -> None:
        self._full = per_second
        self._concurrency = concurrency
        # A burst is the calls of a quarter of a second, at least 1; a smaller one would delay a single call.
        self._burst = max(1.0, per_second / 4)
        self._climb = 1.0 / ramp_seconds if ramp_seconds > 0 else float("inf")
        self._share = 1.0
        self._share_at = now
        self._tokens = self._burst
        self._cut_at = float("-inf")

    def share(self, now: float) -> float:
        """Return the current share."""
        gone = max(0.0, now - self._share_at)
        return min(1.0, self._share + gone * self._climb) if gone else self._share

    def per_second(self, now: float) -> float:
        """Return the current rate."""
        return self._full * self.share(now)

    def limit(self, now: float) -> int:
        """Return the current limit of calls in flight; at least 1."""
        return max(1, int(self._concurrency * self.share(now)))

    def wait(self, now: float, reserved: float = 0.0) -> float:
        """Return the seconds until a call may start and leave the reserved part of a burst to others."""
        self._refill(now)
        most = self._most()
        missing = min(most, 1.0 + reserved * (most - 1.0)) - self._tokens
        return 0.0 if missing <= 1e-9 else missing / self.per_second(now)

    def take(self, now: float) -> None:
        """Count a call that starts now."""
        self._refill(now)
        self._tokens -= 1.0

    def cut(self, now: float) -> None:
        """Slow down after a refusal because of load, at most once a second."""
        if now - self._cut_at >= self._CUT_EVERY_SECONDS:
            self._cut_at = now
            self._slow_to(now, self.share(now) * self._CUT)

    def restart(self, now: float) -> None:
        """Restart at the least share with at most one token, after an outage."""
        self._slow_to(now, 0.0)
        self._tokens = min(self._tokens, 1.0)

    def _slow_to(self, now: float, share: float) -> None:
        self._refill(now)
        self._share = max(self._LEAST, share)
        self._tokens = min(self._tokens, self._most())

    def _most(self) -> float:
        return max(1.0, self._burst * self._share)

    def _refill(self, now: float) -> None:
        gone = max(0.0, now - self._share_at)
        if gone == 0.0:
            return
        before, self._share = self._share, self.share(now)
        self._share_at = now
        # The share grows linearly, so the mean of both ends is exact until the share reaches 1.
        self._tokens = min(self._most(), self._tokens + gone * self._full * (before + self._share) / 2)
