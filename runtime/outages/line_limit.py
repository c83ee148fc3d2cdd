"""A limit for the log lines that an outage repeats: of each kind one a minute, and none while its outage is logged.

A kind is a library's logger and message, or an event of the gateway that names no other subject than the outage.
Nothing else is limited: a line about a command, a caller or a partition's stop is always written. Pure:
`now` is an argument.
"""

from dataclasses import dataclass, field
from typing import Final

import structlog

EVERY_SECONDS: Final = 60.0
# Kinds come from fixed texts in code; if a library builds them, the oldest is forgotten.
_MOST_KINDS: Final = 256
# The events that an outage of a system repeats.
REPEATED_EVENTS: Final = {
    "kafka.broker_waiting": "kafka",
    "kafka.producer_failed": "kafka",
    "kafka.publish_failed": "kafka",
    "kafka.topic_behind": "kafka",
    "kafka.topic_ends_unknown": "kafka",
    "kafka.topics_waiting": "topics",
    "engine.consumer_failed": "kafka",
    "engine.partition_failed": "kafka",
    "projector.kafka_failed": "kafka",
    "projector.database_unreachable": "database",
    "projector.schema_rejected": "schema",
}
_LIBRARIES: Final = {"aiokafka": "kafka", "psycopg": "database"}


def system_of(logger: str) -> str:
    """Return the system that a library talks to; an empty text for other libraries."""
    return _LIBRARIES.get(logger.partition(".")[0], "")


@dataclass(slots=True)
class _Kind:
    written_at: float
    hidden: int = 0


@dataclass(slots=True)
class LineLimit:
    """Decides which repeated lines are written."""

    _kinds: dict[object, _Kind] = field(default_factory=dict)
    _outages: dict[str, int] = field(default_factory=dict)  # system -> lines hidden since the last line of its outage

    def admit(self, kind: object, system: str, now: float) -> int | None:
        """Return None if the line is not to be written, else the number of hidden lines of this kind before it."""
        if system in self._outages:
            self._outages[system] += 1
            return None
        known = self._kinds.get(kind)
        if known is not None and now - known.written_at < EVERY_SECONDS:
            known.hidden += 1
            return None
        self._kinds.pop(kind, None)
        if len(self._kinds) >= _MOST_KINDS:
            del self._kinds[next(iter(self._kinds))]
        self._kinds[kind] = _Kind(now)
        return 0 if known is None else known.hidden

    def outage_lasts(self, system: str) -> int:
        """Hide the lines of this system from now on; return how many were hidden since the last call."""
        hidden = self._outages.get(system, 0)
        self._outages[system] = 0
        return hidden

    def outage_ended(self, system: str) -> int:
        """Write the lines of this system again; return how many were hidden since the last call."""
        return self._outages.pop(system, 0)


@dataclass(frozen=True, slots=True)
class LimitOwner:
    """The processor of the log's configuration that owns the limit of the process."""

    limit: LineLimit


def current_limit() -> LineLimit | None:
    """Return the limit of the process's log; None before it is configured."""
    owners = (step for step in structlog.get_config()["processors"] if isinstance(step, LimitOwner))
    return next((owner.limit for owner in owners), None)
