"""The log of an outage of another system: one line at its begin, one a minute, one at its end.

While an outage lasts, the other lines that it causes are counted and not written; see `runtime.outages.line_limit`.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import structlog
from structlog.typing import FilteringBoundLogger

from runtime.outages.line_limit import current_limit

System = Literal["kafka", "database"]

EVERY_SECONDS = 60.0


class Outage:
    """The outages of one system, as one part of the process sees them. `report` may be called at any rate."""

    def __init__(
        self,
        system: System,
        log: FilteringBoundLogger | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        is_on: bool = False,
    ) -> None:
        """With `is_on` the system counts as lost before the first report, so that its first answer is logged."""
        self._system = system
        self._log = log or structlog.get_logger()
        self._clock = clock
        self._began_at: float | None = clock() if is_on else None
        self._written_at: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the last report named a problem."""
        return self._began_at is not None

    def report(self, problem: str | None) -> None:
        """Note that the system does not work and why, or with None that it works."""
        now = self._clock()
        if problem is None:
            if self._began_at is not None:
                limit = current_limit()
                hidden = {} if limit is None else _count(limit.outage_ended(self._system))
                self._write_end(seconds=round(now - self._began_at, 1), **hidden)
            self._began_at = self._written_at = None
            return
        if self._began_at is None:
            self._began_at = now
        if self._written_at is None or now - self._written_at >= EVERY_SECONDS:
            limit = current_limit()
            hidden = {} if limit is None else _count(limit.outage_lasts(self._system))
            self._write_outage(reason=problem, seconds=round(now - self._began_at, 1), **hidden)
            self._written_at = now

    def _write_outage(self, **fields: Any) -> None:
        if self._system == "kafka":
            self._log.warning("kafka.broker_lost", **fields)
        else:
            self._log.warning("postgres.connection_lost", **fields)

    def _write_end(self, **fields: Any) -> None:
        if self._system == "kafka":
            self._log.info("kafka.broker_reached", **fields)
        else:
            self._log.info("postgres.connection_established", **fields)


def _count(hidden: int) -> dict[str, int]:
    return {"lines_hidden": hidden} if hidden else {}
