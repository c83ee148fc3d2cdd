"""How much longer all steps are made while the call budget is too short for them. Pure; one for the whole process.

Alarms stay at the steps of the table; one that comes earlier than the stretched step only sets the next (`due`). So
whatever the factor was, everybody is back at the table within one step of it once the budget is long enough again.

What is held comes back after half its step on average, and what went through after `factor` steps. With looks wanted
`s` times as often as there is budget for, 1 / (1 + 2 (s - factor)) of them go through: the share that is held says how
much is missing. Steps get longer only once all have had their turn since the last time. Where hardly any are held, they
get shorter again, faster the longer that lasts; that shows within a step.
"""

from typing import Final

_LEAST_WINDOW_SECONDS: Final = 5.0
_LEAST_LOOKS: Final = 20
_MOST_WINDOWS: Final = 4.0
_HARDLY_ANY: Final = 0.1
_SHORTER: Final = 0.1
# Nobody's stretched step is longer (an hour, sixteen times, twice over): what was noted before that is of no use.
_KEPT_SECONDS: Final = 32 * 3600.0
_LEAST_KEPT: Final = 1024
_LONG_AGO: Final = float("-inf")
_FAR_OFF: Final = float("inf")


class Slowdown:
    """See the module. `factor` is 1 where the budget is long enough."""

    def __init__(self, longest: float = 16.0) -> None:
        self.factor = 1.0
        self._longest = longest
        self._shorter = _SHORTER
        self._begins, self._began = _LONG_AGO, _FAR_OFF
        self._longer_from = _LONG_AGO
        self._looks = self._held = self._heard = 0
        self._steps = 0.0
        self._looked: dict[bytes, float] = {}
        self._most = _LEAST_KEPT

    def due(self, key: bytes, step: float, now: float) -> float:
        """Return from when on an authorization with that step may be looked at; long ago if nothing keeps it."""
        looked_at = self._looked.get(key)
        if looked_at is None:
            return _LONG_AGO
        due = looked_at + step * self.factor
        if due > now:
            # Whoever waits tells that time passes, so that few who rarely look don't wait for each other.
            self._pass(now, step)
        return due

    def looked(self, key: bytes, now: float) -> None:
        """Note that a look took of the budget."""
        if self.factor == 1.0:
            return
        self._looked[key] = now
        if len(self._looked) > self._most:  # keys of partitions that are no longer ours, or forgotten
            self._looked = {one: at for one, at in self._looked.items() if at > now - _KEPT_SECONDS}
            self._most = max(_LEAST_KEPT, 2 * len(self._looked))

    def note(self, now: float, step: float, *, held: bool) -> None:
        """Note a look that went through or was held, and the step of the table that holds for it."""
        if now >= self._begins:
            self._looks += 1
            self._held += held
            self._pass(now, step)

    def _pass(self, now: float, step: float) -> None:
        if now < self._begins:
            return
        self._began = min(self._began, now)
        self._heard += 1
        self._steps += step
        mean = self._steps / self._heard
        window, passed = max(_LEAST_WINDOW_SECONDS, mean), now - self._began
        if passed < window or (self._held and self._looks < _LEAST_LOOKS and passed < _MOST_WINDOWS * window):
            return
        before = self.factor
        self._judge(now, self._held / self._looks if self._looks else 0.0, mean)
        self._begins, self._began = now + (mean if self.factor < before else 0.0), _FAR_OFF
        self._looks = self._held = self._heard = 0
        self._steps = 0.0

    def _judge(self, now: float, held: float, mean: float) -> None:
        if held < _HARDLY_ANY:
            self.factor = max(1.0, self.factor - self._shorter)
            self._shorter *= 2.0
        elif now >= self._longer_from:
            self.factor = min(self._longest, self.factor + held / (2.0 * max(1.0 - held, 0.01)))
            self._shorter = _SHORTER
            self._longer_from = now + mean * self.factor
        if self.factor == 1.0:
            self._shorter = _SHORTER
            self._looked.clear()
            self._most = _LEAST_KEPT
