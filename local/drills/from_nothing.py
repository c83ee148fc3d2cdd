"""Everything but the topics is lost: processes, group, database. The same state is there again."""

import asyncio

from local.drills.database_lost import DatabaseLost
from local.drills.drill import Alert
from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.scene.scene import Setup

BACK_WITHIN_SECONDS = 120.0


class FromNothing:
    """Lose every process, the consumer group and the database."""

    name = "from-nothing"
    breaks = "all processes are killed; the consumer group and the database are gone; only the topics are left"
    must_hold = "the same state as before; nothing is applied twice"
    seconds = 10.0
    needs = Setup()
    alert = Alert("CollateGatewayAbsent", "a-process-is-gone", "collate_gateway_build_info")

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Break, start everything again, and compare."""
        story, operator = scene.story, scene.operator
        before = await scene.snapshot()
        effects = len(scene.sim.ledger.effects)
        scene.breaks(f"everything but the topics; the read model had {before.count} rows")
        await scene.kill(*scene.programs)
        lost = DatabaseLost()
        await asyncio.to_thread(lost.drop, scene)
        # The same as a deleted group: an empty one, without members and offsets.
        scene.installation.change({"GATEWAY_WORKER__GROUP": f"{scene.installation.prefix}another-worker"})
        await asyncio.sleep(scene.seconds)
        story.step("The operator", f"gets [bold red]{self.alert.name}[/]")
        story.note(f"no process answers; page: {self.alert.address}")
        await operator.types("topics", "plan")
        await operator.finds_the_cause()

        async def repair() -> None:
            await asyncio.to_thread(lost.create, scene)
            await operator.types("migrate")
            for name in scene.programs:
                await scene.start(name)

        # An operator's tool for this is `helm upgrade`, so the drill does it with --hands-on too.
        await operator.does("an empty database, then every process, as on the first day", repair)
        seconds = await scene.await_rows(before, BACK_WITHIN_SECONDS)
        again = [effect for _, effect in list(scene.sim.ledger.effects)[effects:] if effect.cause.key is not None]
        story.step("It heals", "workers restore `state` and its progress; the projector reads all topics")
        story.note(f"{seconds:.1f} s later every row of before is there again; {len(again)} writes were repeated")
        scene.callers.resume()
        return [BrokenPromise("a write was repeated", str(effect)) for effect in again]
