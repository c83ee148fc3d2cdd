"""Everything that the gateway is and needs, on this machine: Kafka, PostgreSQL, a simulated Collate, its processes.

For `gateway demo` and `gateway dev`. Nothing of it is left when the block ends.
"""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rich.console import Console

from local.failures import StartFailed
from local.installation import GATEWAY, Installation, Program, start_collate
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.processes.logs import failure
from local.processes.run import Run

TOLD_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What is running, and where."""

    cluster: Cluster
    collate_url: str
    installation: Installation
    ingress: Program
    worker: Program
    database: Postgres
    projector: Program

    def require_running(self) -> None:
        """Raise StartFailed, with the end of its log, if anything has ended by itself."""
        self.cluster.require_running()
        self.database.require_running()
        for program in (self.ingress, self.worker, self.projector):
            program.require_running()

    def ask(self, *verb: str, until: str, columns: int | None = None) -> str:
        """Return what a caller's `gateway VERB …` prints, once that text is in it: the read model follows soon."""
        environ = (
            self.installation.environ
            | {
                "COLLATE_GATEWAY_URL": self.ingress.url,
                "COLLATE_GATEWAY_KEY": self.installation.caller_key,
            }
            | ({"COLUMNS": str(columns)} if columns else {})
        )
        deadline = time.monotonic() + TOLD_WITHIN_SECONDS
        while True:
            told = subprocess.run([GATEWAY, *verb], env=environ, capture_output=True, text=True, check=False)
            if until in told.stdout:
                return told.stdout
            if time.monotonic() > deadline:
                raise failure("projector", f"{told.stderr}{told.stdout}", [self.ingress.log, self.projector.log])

    def failure(self, why: str) -> StartFailed:
        """Describe what went wrong between ingress and worker, with the ends of their logs."""
        return failure("gateway", why, [self.ingress.log, self.worker.log])


@contextmanager
def stage(console: Console, *, collate: Sequence[str] = (), port: int | None = None) -> Iterator[Stage]:
    """Start everything and tell the console what is ready; raises LocalErrors."""
    with ExitStack() as open_until_the_end:
        since = time.monotonic()

        def tell(what: str, where: str) -> None:
            console.print(f"  [green]✓[/] {what:<20} [dim]{where}, after {time.monotonic() - since:.1f} s[/]")

        cluster = open_until_the_end.enter_context(Cluster())
        tell("Apache Kafka", cluster.bootstrap)
        database = open_until_the_end.enter_context(Postgres())
        tell("PostgreSQL", "a socket of its own")
        run = open_until_the_end.enter_context(Run("gateway"))
        collate_url = start_collate(run, *collate)
        tell("a simulated Collate", collate_url)
        installation = Installation(
            run, bootstrap=cluster.bootstrap, collate_url=collate_url, database=database.conninfo
        )
        installation.apply_topics()
        ingress, worker = installation.start("ingress", port=port), installation.start("worker")
        projector = installation.start("projector")
        installation.migrate()
        ingress.await_ready()
        tell("ingress", ingress.url)
        worker.await_ready()
        tell("worker", f"health and metrics at {worker.admin_url}")
        projector.await_ready()
        tell("projector", "status and timelines")
        yield Stage(cluster, collate_url, installation, ingress, worker, database, projector)
