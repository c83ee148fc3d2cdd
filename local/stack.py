"""The whole gateway on this machine, for `make demo` and `make dev`.

The stack has Kafka, PostgreSQL, a simulated Collate and the gateway's processes. When its block ends, all processes are
stopped and all files are removed.
"""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rich.console import Console

from local.failures import StartFailed
from local.installation import GATEWAY, Installation, Program, start_collate
from local.issuer import LocalIssuer
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.practice.webhooks import LocalWebhooks, start_receiver
from local.processes.logs import failure
from local.processes.patience import Patience
from local.processes.ports import HeldPort
from local.processes.run import Run
from local.processes.starts import Starts
from local.scene.settings import BROKERS

OUTPUT_WITHIN_SECONDS = 30.0
STAFF = "handoff-staff"
PEOPLE = {
    STAFF: ("authorization:read", "authorization:review", "handoff:request", "handoff:grant", "handoff:close"),
    "on-call": ("authorization:read", "operate"),
}


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
    issuer: LocalIssuer
    console: Program | None = None
    deliverer: Program | None = None
    webhooks: LocalWebhooks | None = None

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
        patience = Patience(OUTPUT_WITHIN_SECONDS)
        while True:
            done = subprocess.run([GATEWAY, *verb], env=environ, capture_output=True, text=True, check=False)
            if until in done.stdout:
                return done.stdout
            if patience.is_over:
                raise failure("projector", f"{done.stderr}{done.stdout}", [self.ingress.log, self.projector.log])

    def failure(self, why: str) -> StartFailed:
        """Return an error with the ends of the logs of ingress and worker."""
        return failure("gateway", why, [self.ingress.log, self.worker.log])


@contextmanager
def local_stack(
    console: Console,
    *,
    collate: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    port: HeldPort | None = None,
    console_port: HeldPort | None = None,
    with_webhooks: bool = False,
) -> Iterator[LocalStack]:
    """Start the stack and print each part when it is ready. Raises LocalError if a part could not start.

    The pages for people run only at a `console_port`.
    """
    with ExitStack() as exits:
        starts = exits.enter_context(Starts(lambda line: console.print(f"  {line}")))
        starts.begin("Apache Kafka")
        cluster = exits.enter_context(Cluster(properties=BROKERS))
        starts.end("Apache Kafka", cluster.bootstrap)
        starts.begin("PostgreSQL")
        database = exits.enter_context(Postgres())
        starts.end("PostgreSQL", "a private socket")
        run = exits.enter_context(Run("gateway"))
        starts.begin("a simulated Collate")
        collate_url = start_collate(run, *collate)
        starts.end("a simulated Collate", collate_url)
        starts.begin("an OIDC issuer")
        issuer = exits.enter_context(LocalIssuer(tuple(PEOPLE)))
        starts.end("an OIDC issuer", issuer.url)
        installation = Installation(
            run,
            bootstrap=cluster.bootstrap,
            collate_url=collate_url,
            database=database.conninfo,
            people=issuer.callers_file_entry(PEOPLE),
            settings=settings,
        )
        webhooks = start_receiver(run, installation) if with_webhooks else None
        starts.begin("topics")
        installation.apply_topics()
        starts.end("topics", "created")
        starts.begin("ingress", "worker", "projector")
        deliverer = None if webhooks is None else installation.start("deliverer")
        seen = {} if deliverer is None else {"GATEWAY_DELIVERER__ADMIN_URLS": deliverer.admin_url}
        ingress = installation.start("ingress", port=port.release() if port else None, settings=seen)
        worker = installation.start("worker")
        projector = installation.start("projector")
        installation.migrate()
        ingress.await_ready()
        starts.end("ingress", ingress.url)
        worker.await_ready()
        starts.end("worker", f"health and metrics at {worker.admin_url}")
        projector.await_ready()
        starts.end("projector", "status and timelines")
        if deliverer is not None and webhooks is not None:
            starts.begin("deliverer")
            deliverer.await_ready()
            starts.end("deliverer", f"posts events to {webhooks.url}")
        pages = None
        if console_port is not None:
            starts.begin("console")
            pages = installation.start_console(ingress, issuer.url, console_port.release())
            pages.await_ready()
            starts.end("console", pages.url)
        yield LocalStack(
            cluster,
            collate_url,
            installation,
            ingress,
            worker,
            database,
            projector,
            issuer,
            pages,
            deliverer,
            webhooks,
        )
