"""The limit of calls in flight. It follows latency (gradient) and refusals (multiplicative cut). Pure.

The gradient compares the median of the last window with the usual latency of the last minutes, as Netflix's
concurrency-limits does. At the usual latency the limit grows by its square root; at a higher latency it shrinks in
proportion. A median ignores one slow authorization. Reads and writes are separate, so that a different mix does not
look slow. After `restart` the same growth is the ramp-up: 1 to 64 in 7 seconds.
"""

from math import sqrt
from statistics import median
from typing import Final

_WINDOW_SECONDS: Final = 0.1
_WINDOW_CALLS: Final = 8
_SAMPLES: Final = 64
# Latency up to 1.5 times the usual one, plus the event loop's jitter, does not shrink the limit.
_TOLERANCE: Final = 1.5
_SLACK_SECONDS: Final = 0.005
_SMOOTHING: Final = 0.2
# The usual latency is a mean over about 600 windows: a minute of steady calls.
_USUAL_WEIGHT: Final = 2 / 601
_CUT: Final = 0.7
_CUT_EVERY_SECONDS: Final = 1.0


def collate_seconds(seconds: float, own_delay_seconds: float) -> float:
    """Return the part of a call's duration that Collate took; a busy process must not make Collate look slow.

    A response waits in the kernel for the event loop, and then for its caller's task. Only the second wait can be
    measured; on average the first is as long.
    """
    return max(0.0, seconds - 2 * own_delay_seconds)


class _Latency:
    """The usual latency of reads or of writes, and the samples of this window."""

    def __init__(self) -> None:
        self.usual: float | None = None
        self.window: list[float] = []

    def gradient(self) -> float:
        """Close the window; return 1 for the usual latency, down to 0.5 for twice the tolerated one or more."""
        recent = median(self.window)
        self.window.clear()
        usual = recent if self.usual is None else self.usual + _USUAL_WEIGHT * (recent - self.usual)
        if usual > 2 * recent:
            # Otherwise the latencies of an outage would count as usual for minutes.
            usual *= 0.95
        self.usual = usual
        return min(1.0, max(0.5, (_TOLERANCE * usual + _SLACK_SECONDS) / max(recent, 1e-6)))


class ConcurrencyLimit:
    """The limit of calls in flight."""

    def __init__(self, maximum: int) -> None:
        self._maximum = float(maximum)
        self._limit = float(max(1, maximum // 4))
        self._latencies = (_Latency(), _Latency())
        self._window_began: float | None = None
        self._most_in_flight = 0
        self._cut_at = float("-inf")

    @property
    def limit(self) -> int:
        """The limit of calls in flight; at least 1."""
        return int(self._limit)

    def is_slow(self, seconds: float, *, writes: bool) -> bool:
        """Return whether a call took longer than usual; False if the usual latency is unknown."""
        usual = self._latencies[writes].usual
        return usual is not None and seconds > usual

    def sample(self, now: float, seconds: float, in_flight: int, *, writes: bool) -> None:
        """Count the duration of a finished call, and the number of calls in flight with it."""
        if self._window_began is None:
            self._window_began = now
        window = self._latencies[writes].window
        if len(window) < _SAMPLES:
            window.append(seconds)
        self._most_in_flight = max(self._most_in_flight, in_flight)
        samples = sum(len(latency.window) for latency in self._latencies)
        if now - self._window_began >= _WINDOW_SECONDS and samples >= min(_WINDOW_CALLS, self.limit):
            self._adapt(samples)
            self._window_began = now
            self._most_in_flight = 0

    def cut(self, now: float) -> None:
        """Shrink after a refusal because of load, at most once a second."""
        if now - self._cut_at >= _CUT_EVERY_SECONDS:
            self._cut_at = now
            self._limit = max(1.0, self._limit * _CUT)

    def restart(self) -> None:
        """Restart at one call, after an outage."""
        self._limit = 1.0
        for latency in self._latencies:
            latency.window.clear()
        self._window_began = None
        self._most_in_flight = 0

    def _adapt(self, samples: int) -> None:
        parts = [(len(latency.window) / samples, latency) for latency in self._latencies if latency.window]
        gradient = sum(weight * latency.gradient() for weight, latency in parts)
        if gradient > 0.999 and self._most_in_flight < self._limit / 2:
            return
        aim = self._limit * gradient + sqrt(self._limit)
        self._limit = min(self._maximum, max(1.0, self._limit + _SMOOTHING * (aim - self._limit)))
