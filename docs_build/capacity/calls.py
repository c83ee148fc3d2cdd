"""The calls to Collate that the workers need, and how far the steps of the cadence grow if there are fewer. Pure.

Observations of open handoffs come before those of the other authorizations, which are idle and keep a share
(`Budget`, decision 0022).
"""

from dataclasses import dataclass

from runtime.turns import OTHERS_EVERY


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls per second in the busiest hour, with the steps of the cadence as set: of commands, and of observations.

    `resting` are those of `idle` that do not grow with the commands.
    """

    commands: float
    open: float
    idle: float
    resting: float

    @property
    def observations(self) -> float:
        """All observations."""
        return self.open + self.idle

    @property
    def total(self) -> float:
        """All calls of the workers."""
        return self.commands + self.observations

    def slowdowns(self, rate: float) -> tuple[float, float]:
        """Return the factors by which the steps of open handoffs, and of the others, grow at this rate."""
        left = rate - self.commands
        if left <= 0:
            return float("inf"), float("inf")
        share = left / OTHERS_EVERY
        for_open, for_idle = left - min(share, self.idle), max(left - self.open, share)
        return max(1.0, self.open / for_open), max(1.0, self.idle / for_idle)

    def least(self, longest: float) -> float:
        """Return the rate at which no step has grown by more than this factor."""
        shared = max(self.idle, self.open / (OTHERS_EVERY - 1)) * OTHERS_EVERY / longest
        return self.commands + min(self.open + self.idle / longest, shared)

    def growth(self, rate: float, longest: float) -> float:
        """Return the factor by which the commands may grow until `least` is this rate."""
        resting, moving = self.resting / longest, (self.idle - self.resting) / longest
        shared = min(
            (rate / OTHERS_EVERY - resting) / (self.commands / OTHERS_EVERY + moving),
            rate / (self.commands + self.open * OTHERS_EVERY / (OTHERS_EVERY - 1) / longest),
        )
        return max(0.0, shared, (rate - resting) / (self.commands + self.open + moving))
