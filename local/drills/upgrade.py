"""An upgrade and its rollback under load: no gap in `sequence`, no double effect."""

import asyncio
from pathlib import Path

from local.drills.release import program_of
from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.scene.scene import Setup

# An ingress refuses a callers file with a permission that it does not know, so callers get what release N knows.
PERMISSIONS = (
    "handoff:request",
    "handoff:close",
    "handoff:grant",
    "authorization:watch",
    "authorization:read",
    "operate",
)
ENDED_WITHIN_SECONDS = 60.0


class Upgrade:
    """Replace the processes of release N by N+1, and go back to N."""

    name = "upgrade"
    breaks = "nothing: release N is upgraded to N+1 and rolled back to N, while callers send commands"
    must_hold = "no gap in `sequence`; no double effect; every command ends"
    seconds = 10.0
    needs = Setup(permissions=PERMISSIONS)

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Go to N, to N+1, and back; callers send commands all the time."""
        story, operator = scene.story, scene.operator
        wheel, earlier = scene.options.from_wheel, None
        if wheel is None:
            story.note("Without --from, release N is this version too.")
        else:
            directory = scene.run.directory / "release"
            directory.mkdir()
            earlier = await asyncio.to_thread(program_of, wheel, directory)
        workers = [name for name in scene.programs if name.startswith("worker")]
        others = [name for name in scene.programs if name.startswith("ingress")]
        story.step("The installation", "runs release N; its projector is at N+1, because the tables are")
        await self._replace(scene, [*others, *workers], earlier)
        before = scene.ended
        await asyncio.sleep(scene.seconds)
        story.step("The operator", "upgrades to N+1: workers first, then ingress")
        story.note("page: docs/upgrade.md#upgrade")
        await operator.types("check", "--for", "worker")
        await self._replace(scene, [*workers, *reversed(others)], None)
        upgraded = scene.ended
        await asyncio.sleep(scene.seconds)
        story.step("The operator", "rolls back to N: ingress first, then workers")
        story.note("page: docs/upgrade.md#roll-back")
        await self._replace(scene, [*others, *workers], earlier)

        async def goes_on() -> bool:
            return scene.ended > upgraded

        await scene.until(goes_on, ENDED_WITHIN_SECONDS, "the end of a command after the rollback")
        await asyncio.sleep(scene.seconds)
        story.step("Callers", f"repeat what got 503 or no answer: {scene.ended - before} commands ended meanwhile")
        return [] if upgraded > before else [BrokenPromise("no command ended during the upgrade", "N to N+1")]

    async def _replace(self, scene: DrillScene, names: list[str], gateway: Path | None) -> None:
        for name in names:
            code = await scene.replace(name, gateway=gateway)
            scene.story.note(f"{name}: stopped in order (exit code {code}), started, ready")
