"""Collate refuses the old key: commands wait, none dies, and no process restarts."""

import asyncio
import secrets

from local.collate.simulation import DEFAULT_KEY, DEFAULT_ORGANIZATION
from local.drills.drill import Alert
from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.scene.scene import Setup

CONTINUED_WITHIN_SECONDS = 120.0


class KeyRotated:
    """Revoke the gateway's API key at Collate."""

    name = "key-rotated"
    breaks = "Collate has a new API key and refuses the old one"
    must_hold = "commands wait, none becomes a dead letter; no process restarts"
    seconds = 60.0
    needs = Setup()
    alert = Alert(
        "CollateGatewayCredentialsRefused", "collate-refuses-our-key", "collate_gateway_collate_credentials_refused"
    )

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Break, show, mend by the Secret's file, and check."""
        story, operator = scene.story, scene.operator
        new_key = f"{DEFAULT_KEY}-{secrets.token_hex(4)}"
        processes = {name: program.process.pid for name, program in scene.programs.items()}
        scene.breaks("at Collate the key was rotated; the Secret still has the old one")
        scene.sim.api.organizations = {new_key: DEFAULT_ORGANIZATION}
        await scene.await_alert(self.alert)
        await operator.types("check", "--for", "worker")
        await operator.finds_the_cause()
        await scene.lasts()
        story.step("Callers", "still get 202; outcomes are late, live calls get 503")
        story.note(f"{scene.accepted} commands accepted since, {scene.ended} ended")
        late = scene.late

        async def write_key() -> None:
            await asyncio.to_thread(scene.installation.write_secret, "collate-key", new_key)

        async def is_accepted() -> bool:
            return await scene.metric(self.alert.metric) == 0

        place = scene.run.directory / "collate-key"
        await operator.mends(f"write the key {new_key} into the Secret's file {place}", write_key, is_accepted)
        story.step("It heals", "every process reads the changed file by itself")
        await scene.late_commands_end(late, CONTINUED_WITHIN_SECONDS)
        dead = await scene.metric("collate_gateway_dead_letters_total")
        broken = [BrokenPromise("a refused key caused dead letters", f"{dead:.0f}")] if dead else []
        restarted = [name for name, pid in processes.items() if scene.programs[name].process.pid != pid]
        return broken + [BrokenPromise("a process was restarted", name) for name in restarted]
