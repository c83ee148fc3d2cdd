"""One command cannot be applied: its neighbours continue, and a redrive after the fix ends it."""

import asyncio
import secrets

import httpx

from local.drills.drill import Alert
from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.scene.scene import ON_CALL, Scene, Setup

AUTHORIZATION = "auth_poison"
DEAD_WITHIN_SECONDS = 60.0
NEIGHBOURS_WITHIN_SECONDS = 30.0
ENDED_WITHIN_SECONDS = 60.0


class Poison:
    """Collate refuses one authorization's writes with 400."""

    name = "poison"
    breaks = "Collate cannot read the request of one command"
    must_hold = "its neighbours continue; after the fix a redrive ends the command, once"
    seconds = 30.0
    needs = Setup()
    alert = Alert("CollateGatewayDeadLetters", "dead-letters", "collate_gateway_dead_letters_open")

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Break, show, fix, redrive, and check."""
        story, operator = scene.story, scene.operator
        scene.breaks(f"Collate answers every write for {AUTHORIZATION} with 400 bad_request")
        scene.sim.create(ids=[AUTHORIZATION])
        rule = scene.sim.fault(
            do="answer", status=400, code="bad_request", method="POST", path=AUTHORIZATION, when="before"
        )
        command = await self.request(scene)
        event = await scene.event("command.dead_lettered", DEAD_WITHIN_SECONDS, commandId=command)
        ended = scene.ended
        await scene.await_alert(self.alert)
        await operator.types("dead-letters", "list")
        await operator.types("dead-letters", "show", command)
        await operator.finds_the_cause()

        async def neighbours_go_on() -> bool:
            return scene.ended > ended

        await asyncio.sleep(scene.seconds)
        await scene.until(neighbours_go_on, NEIGHBOURS_WITHIN_SECONDS, "the end of a neighbour's command")
        story.step("Callers", f"of other authorizations notice nothing: {scene.ended - ended} commands ended since")
        story.note(f"the command's caller got command.dead_lettered, cause {event.data['cause']}, which is not final")
        story.step("Collate", "reads the request again: its fix is deployed")
        scene.sim.faults.remove(rule.id)
        await operator.types("dead-letters", "redrive", command, "--dry-run")
        redrive = ("dead-letters", "redrive", command, "--reason", "collate_recovered", "--ticket", "DRILL-1", "--yes")

        async def is_finished() -> bool:
            return any(
                event.kind == "command.finished" and event.data["commandId"] == command
                for event in scene.listener.events
            )

        await operator.mends("redrive the command", lambda: operator.types(*redrive), is_finished)
        finished = await scene.event("command.finished", ENDED_WITHIN_SECONDS, commandId=command)
        story.step("It heals", f"the caller gets command.finished: {finished.data['outcome']}")
        effects = sum(
            effect.authorization_id == AUTHORIZATION and effect.kind.value == "handoff_opened"
            for _, effect in scene.sim.ledger.effects
        )
        return [] if effects == 1 else [BrokenPromise("the redrive had not exactly one effect", f"{effects}")]

    async def request(self, scene: Scene) -> str:
        """Request a handoff for the authorization, and return the command."""
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            response = await http.post(
                f"{scene.of_kind('ingress')[0].url}/v1/authorizations/{AUTHORIZATION}/handoffs",
                json={},
                headers={
                    "Authorization": f"Bearer {scene.keys[ON_CALL]}",
                    "Idempotency-Key": f"{ON_CALL}-{secrets.token_hex(4)}",
                },
            )
        response.raise_for_status()
        command = str(response.json()["commandId"])
        scene.callers.note_accepted(command)
        return command
