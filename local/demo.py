"""`gateway demo`: one handoff from the first question to the payer's answer, told as it happens.

Everything is real but Collate and the payer. The story goes through public interfaces alone: HTTP to the ingress, the
events as a read_committed subscriber sees them, the payer's portal behind the grant's link.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from local.event_listener import Event, Listener, listening
from local.failures import LocalError
from local.picture import draw, recording_console
from local.processes.run import until_interrupted
from local.service import Service, UnexpectedAnswer
from local.stack import Stage, stage

AUTHORIZATION = "auth_demo"
OPERATOR = "jo.miller"
EVENT_WITHIN_SECONDS = 30.0
# Long enough for the gateway to see the handoff closed before it sees what the payer has.
COLLATE = ("--set", "reconcile_seconds=3")
FAILED, INTERRUPTED = 1, 130
FACTS = {
    "command": "",
    "action": "needs",
    "operator": "to",
    "finalSubmitCapable": "may submit:",
    "result": "result",
    "reported": "reported",
    "agreement": "agreement",
    "from": "from",
    "to": "to",
    "status": "payer:",
    "outcome": "outcome",
    "effect": "effect",
}
COLOURS = {"command": "blue", "handoff": "magenta", "authorization": "green"}


def run(picture: Path | None = None) -> int:
    """Tell the story, draw it where a picture is wanted, and return the exit code."""
    console = Console(highlight=False, soft_wrap=True) if picture is None else recording_console()
    console.print("\n[bold]A manual handoff, from the first question to the payer's answer[/]\n")
    code = INTERRUPTED
    with until_interrupted():
        try:
            with stage(console, collate=COLLATE) as everything:
                asyncio.run(_tell(console, everything, picture))
            console.print("\nEverything is stopped and nothing is left. `gateway dev` keeps it running for you.\n")
            code = 0
        except LocalError as error:
            print(error, file=sys.stderr)
            code = FAILED
    return code


async def _tell(console: Console, everything: Stage, picture: Path | None) -> None:
    installation = everything.installation

    def show(event: Event) -> None:
        console.print(f"       [dim]event ◀[/] {_coloured(event.kind)}  [dim]{_facts(event)}[/]")

    async with (
        httpx.AsyncClient(timeout=EVENT_WITHIN_SECONDS, trust_env=False) as http,
        listening(everything.cluster.bootstrap, installation.prefix, show) as listener,
    ):
        service = Service(http, everything.ingress.url, installation.caller_key)
        story = _Story(console, everything, http, service, listener)
        try:
            await story.tell()
        except (TimeoutError, UnexpectedAnswer, httpx.HTTPError) as error:
            raise everything.failure(f"the story stopped: {error}") from error
    if picture is not None:
        draw(console, picture, "make demo")
    _show_all(console, listener.events)
    _show_timeline(console, everything)


class _Story:
    """The steps, in order; each does one thing and waits for what it brings about."""

    def __init__(
        self, console: Console, everything: Stage, http: httpx.AsyncClient, service: Service, listener: Listener
    ) -> None:
        self._console, self._stage, self._http = console, everything, http
        self._service, self._listener = service, listener
        self._steps = 0

    async def tell(self) -> None:
        """Do all steps."""
        await self._create_authorization()
        await self._watch()
        snapshot_id = await self._review()
        handoff_id = await self._open(snapshot_id)
        await self._work()
        await self._report(handoff_id)
        await self._learn_the_truth(handoff_id)

    async def _create_authorization(self) -> None:
        self._step(
            "Collate", "has come as far as a machine may: the final submit of a prior authorization needs a person"
        )
        await self._simulate("authorizations", {"ids": [AUTHORIZATION], "reviewBacked": True})

    async def _watch(self) -> None:
        self._step("A service", "asks to be told when that authorization needs somebody; it has no Collate key")
        command = await self._service.watch(AUTHORIZATION)
        self._accepted("watch", command)
        await self._event("authorization.action_required")

    async def _review(self) -> str:
        self._step("A reviewer", "reads the review snapshot, live from Collate, and accepts it")
        snapshot = (await self._service.review_snapshot(AUTHORIZATION))["reviewSnapshot"]
        snapshot_id = str(snapshot["id"])
        self._say(f"{snapshot_id}, {snapshot['kind']}, {snapshot['status']}")
        return snapshot_id

    async def _open(self, snapshot_id: str) -> str:
        self._step("The service", "requests a handoff for it")
        command = await self._service.request_handoff(AUTHORIZATION, snapshot_id)
        self._accepted("handoffs", command)
        opened = await self._event("handoff.opened")
        await self._event("command.finished", commandId=command, outcome="applied")
        return str(opened.data["handoffId"])

    async def _work(self) -> None:
        self._step(
            f"{OPERATOR}", "gets a link into the live payer session: a secret, in this one answer and nowhere else"
        )
        grant = await self._service.grant_access(AUTHORIZATION, OPERATOR)
        self._say(f"{httpx.URL(grant['url']).host}/… until {grant['expiresAt']}")
        await self._event("handoff.access_granted", operator=OPERATOR)
        self._step(OPERATOR, "opens it, and submits the request in the payer's portal")
        as_json = {"Accept": "application/json"}
        (await self._http.get(grant["url"], headers=as_json)).raise_for_status()
        (await self._http.post(grant["url"], headers=as_json, json={"did": "submitted"})).raise_for_status()

    async def _report(self, handoff_id: str) -> None:
        self._step("The service", "closes the handoff with the report that it was submitted")
        result = {"type": "completed", "reportedOutcome": "submitted"}
        command = await self._service.close_handoff(AUTHORIZATION, handoff_id, result)
        self._accepted("close", command)
        await self._event("handoff.closed", handoffId=handoff_id, reported="submitted")
        await self._event("command.finished", commandId=command, outcome="applied")
        self._say("published as what it is: a report, not yet the payer's truth")

    async def _learn_the_truth(self, handoff_id: str) -> None:
        self._step("Collate", "looks at the payer's side; the gateway keeps reading until the truth is known")
        await self._event("handoff.reconciled", handoffId=handoff_id, agreement="agrees")
        self._say("the payer has a receipt: the report agrees with the truth")
        self._step("The payer", "approves; the service asks the gateway to look now and not at its next turn")
        await self._simulate(f"authorizations/{AUTHORIZATION}/act", {"do": "payer", "truth": "approved"})
        command = await self._service.watch(AUTHORIZATION)
        self._accepted("watch", command)
        await self._event("authorization.settled", agreement="agrees")
        await self._event("command.finished", commandId=command)

    async def _simulate(self, path: str, what: dict[str, object]) -> None:
        """Let happen what neither the gateway nor its callers do."""
        (await self._http.post(f"{self._stage.collate_url}/_sim/{path}", json=what)).raise_for_status()

    async def _event(self, kind: str, **data: object) -> Event:
        return await self._listener.wait_for(kind, EVENT_WITHIN_SECONDS, **data)

    def _step(self, who: str, does: str) -> None:
        self._steps += 1
        self._console.print(f"\n  [bold]{self._steps:>2}  {who}[/] {does}")

    def _say(self, what: str) -> None:
        self._console.print(f"       [dim]{what}[/]", markup=True)

    def _accepted(self, path: str, command: str) -> None:
        self._say(f"POST …/{path} → 202 accepted, command {command}")


def _show_all(console: Console, events: Sequence[Event]) -> None:
    table = Table(title="\nWhat was published, in order", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("#", justify="right", style="dim")
    for column in ("time", "event", "facts", "caused by"):
        table.add_column(column, no_wrap=column != "facts", style="dim" if column == "time" else None)
    ordered = sorted(events, key=lambda event: event.sequence)
    for event in ordered:
        at = f"{event.at:%H:%M:%S}" if event.at else ""
        cause = f"{event.caused_by[:8]}…" if event.caused_by else "a look"
        table.add_row(str(event.sequence), at, _coloured(event.kind), _facts(event), cause)
    console.print(table)
    if [event.sequence for event in ordered] != list(range(1, len(ordered) + 1)):
        raise LocalError("The sequence has a gap or a repetition.")


def _show_timeline(console: Console, everything: Stage) -> None:
    """Show what anybody with a key can ask later, by the very command."""
    console.print(f"\n[bold]And who asks later[/]  [dim]gateway timeline {AUTHORIZATION}[/]\n")
    columns = console.width if console.is_terminal else None
    told = everything.ask("timeline", AUTHORIZATION, until="ended as already_done", columns=columns)
    console.print(told, markup=False)


def _coloured(kind: str) -> str:
    return f"[{COLOURS[kind.partition('.')[0]]}]{kind:<29}[/]"


def _facts(event: Event) -> str:
    """Name the few facts that a reader of the story looks for."""
    data = {**event.data, **event.data.get("payer", {})}
    return ", ".join(
        f"{word} {_short(str(data[name]))}".strip() for name, word in FACTS.items() if data.get(name) is not None
    )


def _short(value: str) -> str:
    return value.removeprefix("collate-gateway.").removesuffix(".v1")
