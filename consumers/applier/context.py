"""The dependencies of the applier: they live as long as the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consumers.applier.attempt_hints import AttemptHints
from consumers.applier.attempts import AttemptLog
from consumers.authorization.handoffs import RiskRules
from runtime.logs import LineWriters

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.collate.client import CollateClient
    from adapters.collate.reader import CollateReader
    from consumers.authorization.event_writer import EventWriter
    from consumers.authorization.state import AuthorizationState
    from consumers.authorization.unit_of_work import UnitOfWork
    from consumers.engine import Invocation
    from runtime.metrics import CommandMetrics
    from runtime.settings import CollateSettings, WorkerSettings
    from schemas.sealing import Keys


@dataclass(frozen=True, slots=True)
class ApplierContext:
    """The dependencies of the applier.

    Attributes:
        writes: None in a shadow, which sends none (decision 0026).
        contract: what Collate's documentation leaves open.
        digest_key: the key for digests of bodies.
        next_timer: the watcher's next observation, or the time to delete the state; None for never.
        chance: uniform in [0, 1), for jitter.
        lines: the writers of the log lines, one for each event name.
    """

    collate: CollateReader
    writes: CollateClient | None
    event_writer: EventWriter
    worker: WorkerSettings
    contract: CollateSettings
    digest_key: bytes
    keys: Keys
    metrics: CommandMetrics
    next_timer: Callable[[AuthorizationState, float], float | None]
    chance: Callable[[], float]
    rules: RiskRules = field(default_factory=RiskRules)
    hints: AttemptHints = field(default_factory=AttemptHints)
    attempts: AttemptLog = field(default_factory=AttemptLog)
    lines: LineWriters = field(default_factory=LineWriters)

    def kept_timer(self, invocation: Invocation, unit_of_work: UnitOfWork) -> float | None:
        """Return the current timer: a record without a read does not postpone the next observation.

        A new watch replaces it: the current timer may be the one that deletes the state after months.
        """
        if invocation.timer_at is None or unit_of_work.starts_watch:
            return self.next_timer(unit_of_work.state, invocation.now)
        return invocation.timer_at
