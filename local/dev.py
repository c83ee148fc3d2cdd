"""`make dev`: run everything on this machine until Ctrl-C, print commands to paste, and show each event.

A part may end, for practice: one sentence says so, and everything else runs on. Enter starts Kafka and PostgreSQL
again, and prints another link to the console.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from local.event_listener import Event, listening
from local.failures import LocalError, exit_code
from local.installation import CALLER, GATEWAY, http_here
from local.practice.environment_script import script
from local.practice.part_watch import Part, PartWatch
from local.processes.ports import hold, hold_or
from local.processes.run import until_interrupted
from local.sign_in_link import one_time_link
from local.stack import PEOPLE, STAFF, LocalStack, local_stack
from schemas.topics import catalogue

AUTHORIZATIONS = ("auth_one", "auth_two", "auth_three", "auth_four")
DECISION_SECONDS = 20.0
PORT = 8080
CONSOLE_PORT = 8090
PERSON = "jo.miller"
CHECK_EVERY_SECONDS = 1.0


def run(port: int | None = None) -> int:
    """Run everything and return the exit code. `port` is the API's; None: 8080, or a free one."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("\n[bold]A local gateway[/]\n")
    # A broker that is away is what one practises; the libraries would fill the screen.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

    def serve() -> None:
        held = hold_or(PORT) if port is None else hold(port)
        pages = hold_or(CONSOLE_PORT)
        with until_interrupted(), local_stack(console, port=held, pages=pages) as stack:
            _prepare(stack)
            _introduce(console, stack, write_environment(stack))
            asyncio.run(_show_events(console, stack))
        console.print("\nAll processes are stopped and all files are removed.\n")

    return exit_code(serve)


def write_environment(stack: LocalStack) -> Path:
    """Write `env.sh` beside the logs and return its path."""
    processes = stack.programs
    path = stack.ingress.log.parent / "env.sh"
    path.touch(mode=0o600)
    path.write_text(
        script(
            stack.installation.environ,
            url=stack.ingress.url,
            key=stack.installation.caller_key,
            authorization=AUTHORIZATIONS[-1],
            admin_urls={name: program.admin_url for name, program in processes.items()},
            start_lines={name: one.start_line for name, one in processes.items()},
            pids={"kafka": stack.cluster.pid(0)} | {name: one.process.pid for name, one in processes.items()},
            bin_path=GATEWAY.parent,
        )
    )
    return path


def _prepare(stack: LocalStack) -> None:
    """Create authorizations that wait for a manual handoff."""
    body = {"ids": AUTHORIZATIONS, "decisionSeconds": DECISION_SECONDS}
    with http_here() as http:
        http.post(f"{stack.collate_url}/_sim/authorizations", json=body).raise_for_status()


def _introduce(console: Console, stack: LocalStack, environment: Path) -> None:
    installation, url = stack.installation, stack.ingress.url
    pages = f"{stack.programs['console'].url}/developers"
    console.print()
    topics = catalogue(installation.prefix)
    for name, value in (
        ("console", f"{sign_in_link(stack)} (for {PERSON}, once, within an hour)"),
        ("commands", f"{url}/v1/…"),
        (
            "contracts",
            f"{url}/openapi.json  {url}/asyncapi.json  `gateway schemas show TYPE`  as pages: {pages}",
        ),
        (
            "health, metrics",
            "  ".join(f"{program.admin_url}/readyz ({name})" for name, program in stack.programs.items()),
        ),
        ("Collate", f"{stack.collate_url} (simulated; see local/collate/README.md for faults and its ledger)"),
        ("Kafka", stack.cluster.bootstrap),
        ("PostgreSQL", stack.database.conninfo),
        ("webhooks", stack.webhooks and f"{stack.webhooks.url} gets each event; see {stack.webhooks.file}"),
        ("topics", "  ".join(topic.name for topic in topics)),
        ("logs", str(stack.ingress.log.parent / "*.log")),
        ("API key", f"{installation.caller_key} (caller {CALLER}, with all permissions)"),
        ("people", f"{stack.issuer.url} is an OIDC issuer without passwords; groups: {', '.join(PEOPLE)}"),
        ("authorizations", "  ".join(AUTHORIZATIONS)),
    ):
        console.print(f"  [bold]{name:<16}[/] {value}")
    console.print(
        "\n[bold]Run these commands in order[/]: watch an authorization, open a handoff, get a link into the session\n"
    )
    for line in commands_to_paste(url, installation.caller_key, AUTHORIZATIONS[0]):
        print(line)
    console.print("\n[bold]In another terminal[/]: every verb of an operator, such as these\n")
    for line in reads_to_paste(environment, AUTHORIZATIONS[0]):
        print(line)
    console.print("\n[bold]As a person[/]: a token of jo.miller, and what it allows\n")
    print(person_to_paste(url, stack.issuer.url))
    console.print(
        "\nOpen the link's url in a browser to act as the operator. [bold]Enter[/] prints another link to the console, "
        "[bold]Ctrl-C[/] stops everything. Events:\n"
    )


def sign_in_link(stack: LocalStack) -> str:
    """Return a link to the console that signs a person with all groups in, once."""
    token = stack.issuer.token(PERSON, list(PEOPLE))
    console = stack.programs["console"]
    return one_time_link(stack.installation.directory, console.url, token, datetime.now(UTC))


def commands_to_paste(url: str, key: str, authorization_id: str) -> tuple[str, ...]:
    """Return the three curl commands."""
    at = f"{url}/v1/authorizations/{authorization_id}"
    curl = f"curl -sS -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json'"
    return (
        f"{curl} -H 'Idempotency-Key: my-watch' -d '{{}}' {at}/watch",
        f"{curl} -H 'Idempotency-Key: my-handoff' -H 'Prefer: wait=10' -d '{{}}' {at}/handoffs",
        f'{curl} -d \'{{"operator": "me"}}\' {at}/handoffs/active/access-grants',
    )


def person_to_paste(url: str, issuer_url: str) -> str:
    """Return the line that signs a person in and shows what they may do."""
    cut = """sed 's/.*"access_token": *"//; s/".*//'"""
    token = f"$(curl -sS -d name=jo.miller -d groups={STAFF} {issuer_url}/token | {cut})"
    return f'curl -sS -H "Authorization: Bearer {token}" {url}/v1/me'


def reads_to_paste(environment: Path, authorization_id: str) -> tuple[str, ...]:
    """Return the lines for another terminal: its environment, then history, state, checks and a fault."""
    return (
        f". {environment}",
        f"gateway timeline {authorization_id}",
        f"gateway watch {authorization_id}",
        "gateway top",
        "GATEWAY_ADMIN__PORT=${WORKER_ADMIN##*:} gateway check --for worker",
        f"tail -F {environment.parent}/receiver.log     # what the webhook receiver gets",
        "kill -9 $KAFKA_PID     # see what `gateway top` says; also $INGRESS_PID, $WORKER_PID, $PROJECTOR_PID",
    )


def _parts(stack: LocalStack) -> tuple[Part, ...]:
    def restart_kafka() -> None:
        stack.cluster.start(0)
        write_environment(stack)

    again = "Press Enter to start it again."
    return (
        Part("Apache Kafka", lambda: stack.cluster.is_running(0), again, restart_kafka),
        Part("PostgreSQL", stack.database.is_running, again, stack.database.start),
        *(Part(program.name, program.is_running, f"Its log is {program.log}.") for program in stack.programs.values()),
    )


async def _show_events(console: Console, stack: LocalStack) -> None:
    """Show events until Ctrl-C, and a sentence for each part that has ended or started again."""

    def show(event: Event) -> None:
        at = f"{event.at:%H:%M:%S}" if event.at else ""
        data = {name: value for name, value in event.data.items() if value is not None}
        console.print(
            f"  [dim]{at}[/]  {event.authorization_id} {event.sequence}  [bold]{event.kind}[/]  [dim]{data}[/]"
        )

    def say(sentence: str, colour: str) -> None:
        console.print(f"  [dim]{datetime.now().astimezone():%H:%M:%S}[/]  [{colour}]{sentence}[/]")

    watch = PartWatch(_parts(stack))
    async with listening(stack.cluster.bootstrap, stack.installation.prefix, show) as listener:
        with enter_pressed() as pressed:
            while True:
                for part in watch.newly_ended():
                    say(f"{part.name} has ended; everything else runs on. {part.advice}", "red")
                await listener.take(CHECK_EVERY_SECONDS)
                if pressed.is_set():
                    pressed.clear()
                    for part in watch.startable:
                        say(f"{part.name} is starting.", "yellow")
                    try:
                        for part in await asyncio.to_thread(watch.start_again):
                            say(f"{part.name} runs again.", "green")
                    except LocalError as error:
                        say(f"{str(error).splitlines()[0]} Press Enter to try again.", "red")
                    console.print(f"  [bold]console[/] {sign_in_link(stack)}")


@contextmanager
def enter_pressed() -> Iterator[asyncio.Event]:
    """Yield an event that each line on standard input sets; never, if no line can come."""
    pressed, loop = asyncio.Event(), asyncio.get_running_loop()

    def read() -> None:
        if sys.stdin.readline():
            pressed.set()
        else:
            loop.remove_reader(sys.stdin)

    try:
        loop.add_reader(sys.stdin, read)
    except (OSError, ValueError):  # a closed input, or /dev/null
        yield pressed
        return
    try:
        yield pressed
    finally:
        loop.remove_reader(sys.stdin)
