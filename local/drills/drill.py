"""What a drill states about its alert, and the options of a run."""

from dataclasses import dataclass
from pathlib import Path

RUNBOOK = "docs/operations.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of the chart, its section of the runbook, and the sample that makes its expression true.

    The sample is true when the sum of the metric over all processes is above 0.
    """

    name: str
    page: str
    metric: str

    @property
    def address(self) -> str:
        """The section of the runbook."""
        return f"{RUNBOOK}#{self.page}"


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """Options of a run. `seconds`: how long the fault lasts; None means the drill's own time."""

    seconds: float | None = None
    hands_on: bool = False
    seed: int = 7
    from_wheel: Path | None = None
