"""`gateway dev`: run everything on this machine until Ctrl-C, print commands to paste, and show each event."""

import asyncio
import sys

from rich.console import Console

from local.event_listener import Event, listening
from local.failures import LocalError
from local.installation import CALLER, GATEWAY, http_here
from local.processes.ports import free_or
from local.processes.run import until_interrupted
from local.stack import LocalStack, local_stack
from schemas.topics import catalogue

AUTHORIZATIONS = ("auth_one", "auth_two", "auth_three")
DECISION_SECONDS = 20.0
PORT = 8080
CHECK_EVERY_SECONDS = 1.0
FAILED = 1


def run() -> int:
    """Run everything and return the exit code."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("\n[bold]A local gateway[/]\n")
    try:
        with until_interrupted(), local_stack(console, port=free_or(PORT)) as stack:
            _prepare(stack)
            _introduce(console, stack)
            asyncio.run(_show_events(console, stack))
    except LocalError as error:
        print(error, file=sys.stderr)
        return FAILED
    console.print("\nAll processes are stopped and all files are removed.\n")
    return 0


def _prepare(stack: LocalStack) -> None:
    """Create authorizations that wait for a manual handoff."""
    body = {"ids": AUTHORIZATIONS, "decisionSeconds": DECISION_SECONDS}
    with http_here() as http:
        http.post(f"{stack.collate_url}/_sim/authorizations", json=body).raise_for_status()


def _introduce(console: Console, stack: LocalStack) -> None:
    installation, url = stack.installation, stack.ingress.url
    console.print()
    topics = catalogue(installation.prefix)
    for name, value in (
        ("commands", f"{url}/v1/…"),
        (
            "health, metrics",
            f"{stack.ingress.admin_url}/readyz (ingress)  {stack.worker.admin_url}/readyz (worker)",
        ),
        ("Collate", f"{stack.collate_url} (simulated; see local/collate/README.md for faults and its ledger)"),
        ("Kafka", stack.cluster.bootstrap),
        ("PostgreSQL", stack.database.conninfo),
        ("topics", "  ".join(topic.name for topic in topics)),
        ("logs", str(stack.ingress.log.parent / "*.log")),
        ("API key", f"{installation.caller_key} (caller {CALLER}, with all permissions)"),
        ("authorizations", "  ".join(AUTHORIZATIONS)),
    ):
        console.print(f"  [bold]{name:<16}[/] {value}")
    console.print(
        "\n[bold]Run these commands in order[/]: watch an authorization, open a handoff, get a link into the session\n"
    )
    for line in commands_to_paste(url, installation.caller_key, AUTHORIZATIONS[0]):
        print(line)
    console.print("\n[bold]In another terminal[/]: the history of the authorization, and the state of the gateway\n")
    for line in reads_to_paste(url, stack.worker.admin_url, installation.caller_key, AUTHORIZATIONS[0]):
        print(line)
    console.print(
        "\nOpen the link's url in a browser to act as the operator. [bold]Ctrl-C[/] stops everything. Events:\n"
    )


def commands_to_paste(url: str, key: str, authorization_id: str) -> tuple[str, ...]:
    """Return the three curl commands."""
    at = f"{url}/v1/authorizations/{authorization_id}"
    curl = f"curl -sS -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return (
        f"{curl} -H 'Idempotency-Key: my-watch' -d '{{}}' {at}/watch",
        f"{curl} -H 'Idempotency-Key: my-handoff' -H 'Prefer: wait=10' -d '{{}}' {at}/handoffs",
        f'{curl} -d \'{{"operator": "me"}}\' {at}/handoffs/active/access-grants',
    )


def reads_to_paste(url: str, worker_url: str, key: str, authorization_id: str) -> tuple[str, ...]:
    """Return the CLI commands that show the history and the state."""
    here = f"COLLATE_GATEWAY_URL={url} COLLATE_GATEWAY_KEY={key} {GATEWAY}"
    return (
        f"{here} timeline {authorization_id}",
        f"{here} watch {authorization_id}",
        f"{here} top --worker {worker_url}",
    )


async def _show_events(console: Console, stack: LocalStack) -> None:
    """Show events until Ctrl-C. Raises StartFailed if a process has ended unexpectedly."""

    def show(event: Event) -> None:
        at = f"{event.at:%H:%M:%S}" if event.at else ""
        data = {name: value for name, value in event.data.items() if value is not None}
        console.print(
            f"  [dim]{at}[/]  {event.authorization_id} {event.sequence}  [bold]{event.kind}[/]  [dim]{data}[/]"
        )

    async with listening(stack.cluster.bootstrap, stack.installation.prefix, show) as listener:
        while True:
            stack.require_running()
            await listener.take(CHECK_EVERY_SECONDS)
