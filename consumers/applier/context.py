"""What every turn of the applier works with: the parts that live as long as the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from consumers.applier.attempt_hints import AttemptHints
from consumers.applier.attempts import AttemptLog
from consumers.authorization.observation import Reads
from consumers.authorization.reducer import Rules
from runtime.logs import LineWriters

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.collate.answers import Result
    from adapters.collate.client import Close
    from consumers.applier.retry_policy import RetryPolicy
    from consumers.authorization.event_writer import EventWriter
    from consumers.authorization.state import AuthorizationState
    from runtime.metrics import CommandMetrics
    from schemas.collate.handoff import CloseAnswer, ManualHandoff


class CollateCalls(Reads, Protocol):
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
class ApplierContext:
    """See the module.

    Attributes:
        next_look: when the watcher wants to look next (its cadence), or to forget; None for never.
        chance: uniform in [0, 1), for jitter.
        clock: seconds, for how long a turn has taken.
    """

    collate: CollateCalls
    publication: EventWriter
    policy: RetryPolicy
    metrics: CommandMetrics
    next_look: Callable[[AuthorizationState, float], float | None]
    chance: Callable[[], float]
    clock: Callable[[], float] = monotonic
    rules: Rules = field(default_factory=Rules)
    notes: AttemptHints = field(default_factory=AttemptHints)
    attempts: AttemptLog = field(default_factory=AttemptLog)
    lines: LineWriters = field(default_factory=LineWriters)
