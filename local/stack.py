"""The whole gateway on this machine, for `gateway demo` and `gateway dev`.

The stack has Kafka, PostgreSQL, a simulated Collate and the gateway's processes. When its block ends, all processes are
stopped and all files are removed.
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

OUTPUT_WITHIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LocalStack:
    """The running servers and processes."""

    cluster: Cluster
    collate_url: str
    installation: Installation
    ingress: Program
    worker: Program
    database: Postgres
    projector: Program

    def require_running(self) -> None:
        """Raise StartFailed, with the end of the log, if a server or process has ended."""
        self.cluster.require_running()
        self.database.require_running()
        for program in (self.ingress, self.worker, self.projector):
            program.require_running()

    def cli_output(self, *verb: str, until: str, columns: int | None = None) -> str:
        """Run `gateway VERB …` as the caller, until its output contains a text, and return the output.

        The read model lags behind the events, so the first output may be incomplete.
        """
        environ = (
            self.installation.environ
            | {
                "COLLATE_GATEWAY_URL": self.ingress.url,
                "COLLATE_GATEWAY_KEY": self.installation.caller_key,
            }
            | ({"COLUMNS": str(columns)} if columns else {})
        )
        deadline = time.monotonic() + OUTPUT_WITHIN_SECONDS
        while True:
            done = subprocess.run([GATEWAY, *verb], env=environ, capture_output=True, text=True, check=False)
            if until in done.stdout:
                return done.stdout
            if time.monotonic() > deadline:
                raise failure("projector", f"{done.stderr}{done.stdout}", [self.ingress.log, self.projector.log])

    def failure(self, why: str) -> StartFailed:
        """Return an error with the ends of the logs of ingress and worker."""
        return failure("gateway", why, [self.ingress.log, self.worker.log])


@contextmanager
def local_stack(console: Console, *, collate: Sequence[str] = (), port: int | None = None) -> Iterator[LocalStack]:
    """Start the stack and print each part when it is ready. Raises LocalError if a part could not start."""
    with ExitStack() as exits:
        started = time.monotonic()

        def report(part: str, place: str) -> None:
            console.print(f"  [green]✓[/] {part:<20} [dim]{place}, after {time.monotonic() - started:.1f} s[/]")

        cluster = exits.enter_context(Cluster())
        report("Apache Kafka", cluster.bootstrap)
        database = exits.enter_context(Postgres())
        report("PostgreSQL", "a private socket")
        run = exits.enter_context(Run("gateway"))
        collate_url = start_collate(run, *collate)
        report("a simulated Collate", collate_url)
        installation = Installation(
            run, bootstrap=cluster.bootstrap, collate_url=collate_url, database=database.conninfo
        )
        installation.apply_topics()
        ingress, worker = installation.start("ingress", port=port), installation.start("worker")
        projector = installation.start("projector")
        installation.migrate()
        ingress.await_ready()
        report("ingress", ingress.url)
        worker.await_ready()
        report("worker", f"health and metrics at {worker.admin_url}")
        projector.await_ready()
        report("projector", "status and timelines")
        yield LocalStack(cluster, collate_url, installation, ingress, worker, database, projector)
