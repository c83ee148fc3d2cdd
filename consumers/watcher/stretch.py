"""How much longer all steps are made while the call budget is too short for them. Pure; one for the whole process.

What is held comes back after half its step on average, so of looks that are wanted `s` times as often as there is
budget for them only 1 / (2 s - 1) go through: the share that is held says how much too short the steps are. A change
shows when what waits now has come back; so it is given a step's time, then judged over another. Where hardly any are
held, the steps get shorter again.
"""

from typing import Final

_LEAST_WINDOW_SECONDS: Final = 5.0
_LEAST_LOOKS: Final = 20
_HARDLY_ANY: Final = 0.1
_SHORTER: Final = 0.9


class Stretch:
    """See the module. `factor` is 1 where the budget is long enough."""

    def __init__(self, longest: float = 16.0) -> None:
        self.factor = 1.0
        self._longest = longest
        self._begins, self._began = float("-inf"), float("inf")
        self._looks = self._held = 0
        self._waits = 0.0

    def note(self, now: float, wait: float, *, held: bool) -> None:
        """Note a look that went through or was held, and how long it waits until its next."""
        if now < self._begins:
            return
        self._began = min(self._began, now)
        self._looks += 1
        self._held += held
        self._waits += wait
        mean = self._waits / self._looks
        if self._looks >= _LEAST_LOOKS and now - self._began >= max(_LEAST_WINDOW_SECONDS, mean):
            before = self.factor
            self._judge(self._held / self._looks)
            self._begin(now + (mean * self.factor / before if self.factor != before else 0.0))

    def _begin(self, at: float) -> None:
        self._begins, self._began = at, float("inf")
        self._looks = self._held = 0
        self._waits = 0.0

    def _judge(self, held: float) -> None:
        if held < _HARDLY_ANY:
            self.factor = max(1.0, self.factor * _SHORTER)
        else:
            too_short = (1.0 + 1.0 / max(1.0 - held, 0.01)) / 2.0
            self.factor = min(self._longest, self.factor * too_short)
