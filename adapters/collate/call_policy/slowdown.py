"""The longer steps of observations while the budget is too small. Pure."""

from typing import Final

from adapters.collate.call_policy.calls import Priority


class Slowdown:
    """The factor of the steps of all observations of one priority: 1 while the budget suffices, at most `longest`.

    Timers keep the steps of the cadence. A timer before the end of the longer step only sets the next timer (`due`). So
    every authorization returns to the cadence within one step once the budget suffices again, for any factor.

    A deferred observation is retried after half its step on average; a completed one repeats after `factor` steps. If
    the observations need `s` times the budget, 1 / (1 + 2 (s - factor)) of all tries complete: each missing unit of
    budget costs two deferred tries. So the share of deferred tries shows how much budget is missing. The factor rises
    only after every authorization was due since the last rise. It falls while less than a tenth is deferred, and faster
    the longer that lasts.
    """

    _LEAST_WINDOW_SECONDS: Final = 5.0
    _LEAST_OBSERVATIONS: Final = 20
    _MOST_WINDOWS: Final = 4.0
    _FEW_DEFERRED: Final = 0.1
    _DECREASE: Final = 0.1
    # No slowed step is longer (twice an hour times sixteen), so older entries have no effect.
    _KEPT_SECONDS: Final = 32 * 3600.0
    _LEAST_KEPT: Final = 1024

    def __init__(self, longest: float = 16.0) -> None:
        self.factor = 1.0
        self._longest = longest
        self._decrease = self._DECREASE
        # A window collects what happens between two adjustments. It opens at the first event after `_opens_at`.
        self._opens_at, self._opened_at = float("-inf"), float("inf")
        self._rises_from = float("-inf")
        self._observations = self._deferred = self._events = 0
        self._steps = 0.0
        self._observed_at: dict[bytes, float] = {}
        self._most_kept = self._LEAST_KEPT

    def due(self, key: bytes, step: float, now: float) -> float:
        """Return when an authorization with this step is due; minus infinity if it is due now."""
        observed_at = self._observed_at.get(key)
        if observed_at is None:
            return float("-inf")
        due = observed_at + step * self.factor
        if due > now:
            # A waiting authorization advances the window too: otherwise a few slow ones would block the adjustment.
            self._advance(now, step)
        return due

    def observed(self, key: bytes, now: float) -> None:
        """Record an observation that used the budget."""
        if self.factor == 1.0:
            return
        self._observed_at[key] = now
        if len(self._observed_at) > self._most_kept:  # also deleted keys, and keys of lost partitions
            self._observed_at = {one: at for one, at in self._observed_at.items() if at > now - self._KEPT_SECONDS}
            self._most_kept = max(self._LEAST_KEPT, 2 * len(self._observed_at))

    def count(self, now: float, step: float, *, deferred: bool) -> None:
        """Count an observation that completed or was deferred; `step` is its step in the cadence."""
        if now >= self._opens_at:
            self._observations += 1
            self._deferred += deferred
            self._advance(now, step)

    def _advance(self, now: float, step: float) -> None:
        if now < self._opens_at:
            return
        self._opened_at = min(self._opened_at, now)
        self._events += 1
        self._steps += step
        mean = self._steps / self._events
        window, elapsed = max(self._LEAST_WINDOW_SECONDS, mean), now - self._opened_at
        is_sparse = self._deferred > 0 and self._observations < self._LEAST_OBSERVATIONS
        if elapsed < window or (is_sparse and elapsed < self._MOST_WINDOWS * window):
            return
        before = self.factor
        self._adjust(now, self._deferred / self._observations if self._observations else 0.0, mean)
        self._opens_at, self._opened_at = now + (mean if self.factor < before else 0.0), float("inf")
        self._observations = self._deferred = self._events = 0
        self._steps = 0.0

    def _adjust(self, now: float, deferred: float, mean: float) -> None:
        if deferred < self._FEW_DEFERRED:
            self.factor = max(1.0, self.factor - self._decrease)
            self._decrease *= 2.0
        elif now >= self._rises_from:
            self.factor = min(self._longest, self.factor + deferred / (2.0 * max(1.0 - deferred, 0.01)))
            self._decrease = self._DECREASE
            self._rises_from = now + mean * self.factor
        if self.factor == 1.0:
            self._decrease = self._DECREASE
            self._observed_at.clear()
            self._most_kept = self._LEAST_KEPT


def make_slowdowns(longest: float = 16.0) -> dict[Priority, Slowdown]:
    """Return the slowdown of each priority of observations."""
    return {priority: Slowdown(longest) for priority in (Priority.OBSERVATION, Priority.IDLE)}
