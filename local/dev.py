"""`gateway dev`: everything on this machine until Ctrl-C, with commands to paste and the events as they come."""

import asyncio
import sys

from rich.console import Console

from local.event_listener import Event, listening
from local.failures import LocalError
from local.installation import CALLER, GATEWAY, http_here
from local.processes.ports import free_or
from local.processes.run import until_interrupted
from local.stack import Stage, stage
from schemas.topics import catalogue

AUTHORIZATIONS = ("auth_one", "auth_two", "auth_three")
DECISION_SECONDS = 20.0
PORT = 8080
LOOK_EVERY_SECONDS = 1.0
FAILED = 1


def run() -> int:
    """Run everything and return the exit code."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("\n[bold]A gateway of your own[/]\n")
    try:
        with until_interrupted(), stage(console, port=free_or(PORT)) as everything:
            _prepare(everything)
            _introduce(console, everything)
            asyncio.run(_accompany(console, everything))
    except LocalError as error:
        print(error, file=sys.stderr)
        return FAILED
    console.print("\nEverything is stopped and nothing is left.\n")
    return 0


def _prepare(everything: Stage) -> None:
    """Have Collate wait for a person in some authorizations."""
    wanted = {"ids": AUTHORIZATIONS, "decisionSeconds": DECISION_SECONDS}
    with http_here() as http:
        http.post(f"{everything.collate_url}/_sim/authorizations", json=wanted).raise_for_status()


def _introduce(console: Console, everything: Stage) -> None:
    installation, url = everything.installation, everything.ingress.url
    console.print()
    topics = catalogue(installation.prefix)
    for what, where in (
        ("commands", f"{url}/v1/…"),
        (
            "health, metrics",
            f"{everything.ingress.admin_url}/readyz (ingress)  {everything.worker.admin_url}/readyz (worker)",
        ),
        ("Collate", f"{everything.collate_url} (simulated; faults and ledger: local/collate/README.md)"),
        ("Kafka", everything.cluster.bootstrap),
        ("PostgreSQL", everything.database.conninfo),
        ("topics", "  ".join(topic.name for topic in topics)),
        ("logs", str(everything.ingress.log.parent / "*.log")),
        ("a caller's key", f"{installation.caller_key} (caller {CALLER}, may do everything)"),
        ("waiting for you", "  ".join(AUTHORIZATIONS)),
    ):
        console.print(f"  [bold]{what:<16}[/] {where}")
    console.print(
        "\n[bold]Paste these, in this order[/]: watch an authorization, open a handoff, get a link into the session\n"
    )
    for line in commands_to_paste(url, installation.caller_key, AUTHORIZATIONS[0]):
        print(line)
    console.print("\n[bold]And in another terminal[/]: what happened, and what is going on\n")
    for line in reads_to_paste(url, everything.worker.admin_url, installation.caller_key, AUTHORIZATIONS[0]):
        print(line)
    console.print(
        "\nOpen the link's url in a browser to be the human. [bold]Ctrl-C[/] ends everything. Events, as they come:\n"
    )


def commands_to_paste(url: str, key: str, authorization_id: str) -> tuple[str, ...]:
    """Write the three curl commands."""
    at = f"{url}/v1/authorizations/{authorization_id}"
    curl = f"curl -sS -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return (
        f"{curl} -H 'Idempotency-Key: my-watch' -d '{{}}' {at}/watch",
        f"{curl} -H 'Idempotency-Key: my-handoff' -H 'Prefer: wait=10' -d '{{}}' {at}/handoffs",
        f'{curl} -d \'{{"operator": "me"}}\' {at}/handoffs/active/access-grants',
    )


def reads_to_paste(url: str, worker_url: str, key: str, authorization_id: str) -> tuple[str, ...]:
    """Write the commands that show what happened."""
    here = f"COLLATE_GATEWAY_URL={url} COLLATE_GATEWAY_KEY={key} {GATEWAY}"
    return (
        f"{here} timeline {authorization_id}",
        f"{here} watch {authorization_id}",
        f"{here} top --worker {worker_url}",
    )


async def _accompany(console: Console, everything: Stage) -> None:
    """Show events until Ctrl-C; raises StartFailed when a process ends by itself."""

    def show(event: Event) -> None:
        at = f"{event.at:%H:%M:%S}" if event.at else ""
        data = {name: value for name, value in event.data.items() if value is not None}
        console.print(
            f"  [dim]{at}[/]  {event.authorization_id} {event.sequence}  [bold]{event.kind}[/]  [dim]{data}[/]"
        )

    async with listening(everything.cluster.bootstrap, everything.installation.prefix, show) as listener:
        while True:
            everything.require_running()
            await listener.take(LOOK_EVERY_SECONDS)
