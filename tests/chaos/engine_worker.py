"""A process that runs one engine with tallies until SIGTERM: `python -m tests.chaos.engine_worker '{…}'` (`Orders`).

Writes a line of JSON to its standard output whenever its partitions change status, and its logs to its standard error.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from consumers.engine.core.limits import InvocationLimits
from consumers.engine.engine import Engine
from consumers.engine.settings import EngineSettings
from runtime.metrics import EngineMetrics
from tests.chaos.tally import Journal, TallyHandler

_REPORT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Orders:
    """The settings of one engine of a test. `name` is the client id and the journal's `by`."""

    bootstrap: str
    prefix: str
    journal: str
    name: str
    partitions: int = 4
    member: str | None = None
    session_seconds: float = 6.0
    heartbeat_seconds: float = 0.5
    transaction_timeout_seconds: float = 25.0
    transaction_seconds: float = 20.0
    drain_seconds: float = 10.0
    batch_results: int = 1_000
    timeout_seconds: float = 60.0
    has_evidence: bool = False

    @property
    def commands(self) -> str:
        """The input topic."""
        return f"{self.prefix}commands"

    @property
    def events(self) -> str:
        """The topic of outputs."""
        return f"{self.prefix}events"

    @property
    def state(self) -> str:
        """The topic of states."""
        return f"{self.prefix}state"

    def settings(self) -> EngineSettings:
        """Make the engine's settings."""
        return EngineSettings(
            topic=self.commands,
            state_topic=self.state,
            partitions=self.partitions,
            group=f"{self.prefix}worker",
            member=self.member,
            client=lambda: {"bootstrap_servers": self.bootstrap, "client_id": self.name},
            batch_results=self.batch_results,
            timer_spread_seconds=0.5,
            session_seconds=self.session_seconds,
            heartbeat_seconds=self.heartbeat_seconds,
            transaction_timeout_seconds=self.transaction_timeout_seconds,
            transaction_seconds=self.transaction_seconds,
            drain_seconds=self.drain_seconds,
            outputs=(self.events,),
            evidence_topic=self.events if self.has_evidence else None,
            limits=InvocationLimits(
                timeout_seconds=self.timeout_seconds, first_retry_seconds=0.2, last_retry_seconds=2.0
            ),
        )


def metrics() -> EngineMetrics:
    """Make the metrics of one engine."""
    return EngineMetrics(CollectorRegistry())


async def _report(engine: Engine) -> None:
    reported = None
    while True:
        statuses = {number: partition.status.value for number, partition in engine.partitions.items()}
        if statuses != reported:
            reported = statuses
            print(json.dumps(statuses), flush=True)
        await asyncio.sleep(_REPORT_SECONDS)


async def _main(orders: Orders) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    journal = Journal(Path(orders.journal), orders.name)
    engine = Engine(orders.settings(), TallyHandler(orders.events, journal), metrics())
    reporting = asyncio.create_task(_report(engine))
    await engine.run(stop)
    reporting.cancel()


def command(orders: Orders) -> list[str]:
    """Return the command line of a process with these orders."""
    return [sys.executable, "-m", "tests.chaos.engine_worker", json.dumps(asdict(orders))]


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=False),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvloop.run(_main(Orders(**json.loads(sys.argv[1]))))
