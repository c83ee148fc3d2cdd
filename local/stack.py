"""The whole gateway on this machine, for `make demo` and `make dev`.

The stack has Kafka, PostgreSQL, a simulated Collate and the gateway's processes. When its block ends, all processes are
stopped and all files are removed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from rich.console import Console

from local.failures import StartFailed
from local.installation import Installation, Program, start_collate
from local.issuer import LocalIssuer
from local.kafka.nodes import Cluster
from local.postgres import Postgres
from local.practice.webhooks import LocalWebhooks, start_receiver
from local.processes.logs import failure
from local.processes.ports import HeldPort
from local.processes.run import Run
from local.processes.starts import Starts
from local.scene.settings import BROKERS

STAFF = "handoff-staff"
PEOPLE = {
    STAFF: ("authorization:read", "authorization:review", "handoff:request", "handoff:grant", "handoff:close"),
    "on-call": ("authorization:read", "operate"),
}


@dataclass(frozen=True, slots=True)
class LocalStack:
    """The running servers and processes. Only `make dev` has a deliverer, its webhooks and a console."""

    cluster: Cluster
    collate_url: str
    database: Postgres
    issuer: LocalIssuer
    installation: Installation
    programs: dict[str, Program]
    webhooks: LocalWebhooks | None

    @property
    def ingress(self) -> Program:
        """The ingress."""
        return self.programs["ingress"]

    def failure(self, why: str) -> StartFailed:
        """Return an error with the ends of the processes' logs."""
        return failure("gateway", why, [program.log for program in self.programs.values()])


@contextmanager
def local_stack(
    console: Console,
    *,
    collate: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    port: HeldPort | None = None,
    pages: HeldPort | None = None,
) -> Iterator[LocalStack]:
    """Start the stack and print each part when it is ready. Raises LocalError if a part could not start.

    `pages` is the port of the console; with it, a deliverer and a receiver of webhooks run too.
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
        webhooks = None if pages is None else start_receiver(run, installation)
        starts.begin("topics")
        installation.apply_topics()
        starts.end("topics", "created")
        programs, seen = {}, {}
        if webhooks is not None:
            programs["deliverer"] = installation.start("deliverer")
            seen = {"GATEWAY_DELIVERER__ADMIN_URLS": programs["deliverer"].admin_url}
        programs["ingress"] = installation.start("ingress", port=port.release() if port else None, settings=seen)
        programs |= {verb: installation.start(verb) for verb in ("worker", "projector")}
        if pages is not None:
            programs["console"] = installation.start_console(programs["ingress"], issuer.url, pages.release())
        starts.begin(*programs)
        installation.migrate()
        for name, program in programs.items():
            program.await_ready()
            starts.end(name, program.url if name in {"ingress", "console"} else f"metrics at {program.admin_url}")
        yield LocalStack(cluster, collate_url, database, issuer, installation, programs, webhooks)
