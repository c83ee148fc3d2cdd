"""`make demo`: one handoff from the first command to the payer's decision, shown step by step.

Only Collate and the payer are simulated. The demo uses public interfaces only: the published client, the events as a
read_committed subscriber reads them, and the payer's portal behind the grant's link.
"""

import asyncio
from pathlib import Path

import httpx
from rich.console import Console

from collate_gateway_client import AsyncGateway, GatewayError, completed
from local.event_listener import Event, Listener, listening
from local.failures import LocalError
from local.picture import draw, recording_console
from local.processes.run import interruptible
from local.stack import STAFF, LocalStack, local_stack
from local.story import Story

AUTHORIZATION = "auth_demo"
OPERATOR = "jo.miller"
EVENT_WITHIN_SECONDS = 30.0
# Long enough for the gateway to read the closed handoff before the reconciliation ends.
COLLATE = ("--set", "reconcile_seconds=3")
# At first the portal waits for a code, so Collate offers no access.
MESSAGE = "The portal asks for the one-time code."
WAITING = {"message": MESSAGE, "accessAvailable": False}
# So that the walk does not wait for five minutes.
SETTINGS = {"GATEWAY_WATCH__NOT_ENTERED_AFTER": "2s"}


def run(picture: Path | None = None) -> int:
    """Run the demo, write a picture of it if requested, and return the exit code."""
    console = Console(highlight=False, soft_wrap=True) if picture is None else recording_console()
    console.print("\n[bold]A manual handoff, from the first command to the payer's decision[/]\n")

    def play() -> None:
        with local_stack(console, collate=COLLATE, settings=SETTINGS) as stack:
            asyncio.run(_play(console, stack, picture))
        console.print(
            "\nAll processes are stopped and all files are removed. `make dev` keeps everything running: there "
            "`gateway timeline` tells such a history at any time, and `gateway audit export` who did what.\n"
        )

    return interruptible(play)


async def _play(console: Console, stack: LocalStack, picture: Path | None) -> None:
    installation = stack.installation
    story = Story(console)
    async with (
        httpx.AsyncClient(timeout=EVENT_WITHIN_SECONDS, trust_env=False) as http,
        listening(stack.cluster.bootstrap, installation.prefix, story.event) as listener,
    ):
        service = AsyncGateway(stack.ingress.url, installation.caller_key, http=http)
        person = AsyncGateway(stack.ingress.url, stack.issuer.token(OPERATOR, [STAFF]), http=http)
        demo = _Demo(story, stack, http, listener, service=service, person=person)
        try:
            await demo.run()
        except (TimeoutError, GatewayError, httpx.HTTPError) as error:
            raise stack.failure(f"the demo stopped: {error}") from error
    if picture is not None:
        draw(console, picture, "make demo")
    sequences = sorted(event.sequence for event in listener.events)
    if sequences != list(range(1, len(sequences) + 1)):
        raise LocalError("The sequence has a gap or a duplicate.")


class _Demo:
    """The steps of the demo, in order. Each step does one thing and waits for its events."""

    def __init__(
        self,
        story: Story,
        stack: LocalStack,
        http: httpx.AsyncClient,
        listener: Listener,
        *,
        service: AsyncGateway,
        person: AsyncGateway,
    ) -> None:
        self._stack, self._http, self._listener = stack, http, listener
        self._step, self._note, self._accepted = story.step, story.note, story.accepted
        self._service, self._person = service, person

    async def run(self) -> None:
        """Run all steps."""
        await self._create_authorization()
        await self._watch()
        snapshot_id = await self._review()
        handoff_id = await self._open(snapshot_id)
        await self._enter(handoff_id)
        await self._submit()
        await self._report(handoff_id)
        await self._reconcile(handoff_id)

    async def _create_authorization(self) -> None:
        self._step(
            "Collate", "has done every automatic step of a prior authorization; the final submission needs a person"
        )
        await self._simulate(
            "authorizations", {"ids": [AUTHORIZATION], "reviewBacked": True, "handoffOverlay": WAITING}
        )

    async def _watch(self) -> None:
        self._step("A service", "watches that authorization through the gateway; it needs no Collate key")
        command = (await self._service.watch(AUTHORIZATION))["commandId"]
        self._accepted("watch", command)
        await self._event("authorization.action_required")

    async def _review(self) -> str:
        self._step(OPERATOR, "signs in with a token, and reads the review snapshot, live from Collate")
        snapshot = (await self._person.review_snapshot(AUTHORIZATION))["reviewSnapshot"]
        snapshot_id = str(snapshot["id"])
        self._note(f"{snapshot_id}, {snapshot['kind']}, {snapshot['status']}")
        await self._event("authorization.content_read", operator=OPERATOR, assertedBy="person")
        return snapshot_id

    async def _open(self, snapshot_id: str) -> str:
        self._step(OPERATOR, "accepts the snapshot and requests a handoff")
        accepted = await self._person.request_handoff(AUTHORIZATION, accepted_review_snapshot_id=snapshot_id)
        command = accepted["commandId"]
        self._accepted("handoffs", command)
        opened = await self._event("handoff.opened", requestedBy=OPERATOR, acceptedBy=OPERATOR)
        await self._event("command.finished", commandId=command, outcome="applied")
        return str(opened.data["handoffId"])

    async def _enter(self, handoff_id: str) -> None:
        self._step("Collate", "offers no access yet; the gateway warns that no operator has entered the handoff")
        await self._event("handoff.at_risk", handoffId=handoff_id, reason="not_entered")
        access: dict[str, object] = {"do": "overlay", "handoff": {"message": MESSAGE}}
        await self._simulate(f"authorizations/{AUTHORIZATION}/act", access)
        await self._event("handoff.access_changed", handoffId=handoff_id, accessAvailable=True)

    async def _submit(self) -> None:
        self._step(f"{OPERATOR}", "gets a link into the live payer session: a secret that only this response contains")
        grant = await self._person.access_grant(AUTHORIZATION)
        link = grant.url.reveal()
        self._note(f"{httpx.URL(link).host}/… until {grant.expires_at}; Collate says: {grant.message}")
        await self._event("handoff.access_granted", operator=OPERATOR)
        self._step(OPERATOR, "opens the link and submits the request in the payer's portal")
        as_json = {"Accept": "application/json"}
        (await self._http.get(link, headers=as_json)).raise_for_status()
        (await self._http.post(link, headers=as_json, json={"did": "submitted"})).raise_for_status()

    async def _report(self, handoff_id: str) -> None:
        self._step(OPERATOR, "closes the handoff with the report `submitted`")
        accepted = await self._person.close_handoff(AUTHORIZATION, handoff_id, completed("submitted"))
        command = accepted["commandId"]
        self._accepted("close", command)
        await self._event("handoff.closed", handoffId=handoff_id, reported="submitted", reportedBy=OPERATOR)
        await self._event("command.finished", commandId=command, outcome="applied")
        self._note("published as a report; it is not payer truth yet")

    async def _reconcile(self, handoff_id: str) -> None:
        self._step("Collate", "reconciles with the payer; the gateway reads the authorization until that has ended")
        await self._event("handoff.reconciled", handoffId=handoff_id, agreement="agrees")
        self._note("the payer has a receipt: the report agrees with payer truth")
        self._step("The payer", "approves; the service watches again, so that the gateway reads the authorization now")
        await self._simulate(f"authorizations/{AUTHORIZATION}/act", {"do": "payer", "truth": "approved"})
        command = (await self._service.watch(AUTHORIZATION))["commandId"]
        self._accepted("watch", command)
        await self._event("authorization.settled", agreement="agrees")
        await self._event("command.finished", commandId=command)

    async def _simulate(self, path: str, body: dict[str, object]) -> None:
        """Make the simulated Collate or payer act."""
        (await self._http.post(f"{self._stack.collate_url}/_sim/{path}", json=body)).raise_for_status()

    async def _event(self, kind: str, **data: object) -> Event:
        return await self._listener.wait_for(kind, EVENT_WITHIN_SECONDS, **data)
