"""Settings of the watcher."""

from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import Field

from runtime.environ import Section
from runtime.units import Duration, Steps, parse_steps

LEAST_FORGET_DAYS: Final = 60
"""Twice the time for which the topic keeps events (schemas/topics.py); told to subscribers (docs/subscribing.md)."""


def _steps(text: str, description: str) -> Any:
    return Field(parse_steps(text), description=f"Intervals between reads {description}.")


class WatchSettings(Section):
    """How often the watcher reads an authorization; an age counts from the last change that it saw."""

    ended: Steps = _steps("2s until 1m, 5s until 10m, 30s", "after a handoff has ended, while Collate reconciles")
    access: Steps = _steps("5s until 10m, 15s until 1h, 1m", "while an operator waits for access to an open handoff")
    open: Steps = _steps("20s until 1h, 1m", "while a handoff is open and its operator has access")
    processing: Steps = _steps("10s until 10m, 1m until 1d, 15m", "while Collate processes the authorization")
    action: Steps = _steps("30s until 1h, 5m until 1d, 30m", "while a person must act")
    payer: Steps = _steps("1m until 1h, 10m until 1d, 1h", "while the payer decides")
    max_slowdown: Annotated[float, Field(ge=1)] = Field(
        16.0, description="Maximum factor by which intervals grow while the call budget is too small for them."
    )
    not_entered_after: Duration = Field(
        timedelta(minutes=5), description="Age of an open handoff without any access grant at which it is at risk."
    )
    open_too_long: Duration = Field(
        timedelta(hours=4), description="Age of an open handoff at which the watcher emits `handoff.at_risk`."
    )
    forget_after: Duration = Field(
        timedelta(days=90), description="How long the state of a settled authorization is kept."
    )

    def contradictions(self) -> list[str]:
        """Check that no event number is reused while its first event may still be in the topic.

        The worker checks a topic that keeps its events longer.
        """
        if self.forget_after < timedelta(days=LEAST_FORGET_DAYS):
            reason = "the numbers of its events must not be reused while the topic may still have them"
            return [f"forget_after must be {LEAST_FORGET_DAYS}d or more: {reason}"]
        return []
