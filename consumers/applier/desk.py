"""What every turn of the applier works with: the parts that live as long as the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from consumers.applier.attempts import AttemptLog
from consumers.applier.notes import Notes
from consumers.memory.look import Reads
from consumers.memory.reducer import Rules
from gateway.runtime.logs import LineWriters

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.applier.policy import Policy
    from consumers.memory.memory import Memory
    from consumers.memory.publication import Publication
    from gateway.collate.answers import Result
    from gateway.collate.client import Close
    from gateway.runtime.metrics import CommandMetrics
    from schemas.collate import CloseAnswer, ManualHandoff


class Collate(Reads, Protocol):
    """What the applier may ask of Collate: no grant, no live session."""

    async def create_handoff(
        self, authorization_id: str, *, if_match: int, key: str, body: bytes
    ) -> Result[ManualHandoff]:
        """Create a handoff."""
        ...

    async def close_handoff(
        self, authorization_id: str, handoff_id: str, operation: Close, *, if_match: int, key: str, body: bytes
    ) -> Result[CloseAnswer]:
        """Close a handoff."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """See the module.

    Attributes:
        next_look: when the watcher wants to look next (its cadence), or to forget; None for never.
        chance: uniform in [0, 1), for jitter.
        clock: seconds, for how long a turn has taken.
    """

    collate: Collate
    publication: Publication
    policy: Policy
    metrics: CommandMetrics
    next_look: Callable[[Memory, float], float | None]
    chance: Callable[[], float]
    clock: Callable[[], float] = monotonic
    rules: Rules = field(default_factory=Rules)
    notes: Notes = field(default_factory=Notes)
    attempts: AttemptLog = field(default_factory=AttemptLog)
    lines: LineWriters = field(default_factory=LineWriters)
