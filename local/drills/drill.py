"""What a drill states about itself. The statements are shown by `gateway drill --list`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from local.installation import PERMISSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from local.drills.scene import Scene
    from local.judge.checks import BrokenPromise

RUNBOOK = "docs/operations.md"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of the chart, its section of the runbook, and the sample that makes its expression true.

    The sample is true when the sum of the metric over all processes is above 0.
    """

    name: str
    page: str
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The section of the runbook."""
        return f"{RUNBOOK}#{self.page}"


@dataclass(frozen=True, slots=True)
class Needs:
    """The private installation of a drill. `settings` are added to those of all drills; callers get `permissions`."""

    brokers: int = 1
    workers: int = 2
    permissions: Sequence[str] = PERMISSIONS
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """Options of a run. `seconds`: how long the fault lasts; None means the drill's own time."""

    seconds: float | None = None
    hands_on: bool = False
    seed: int = 7
    from_wheel: Path | None = None


class Drill(Protocol):
    """A drill. `run` tells the story and returns what was broken beyond the judge's own rules."""

    name: str
    breaks: str
    must_hold: str
    seconds: float
    needs: Needs

    async def run(self, scene: Scene) -> list[BrokenPromise]:
        """Break it, show what is seen, mend it, and check what must hold."""
