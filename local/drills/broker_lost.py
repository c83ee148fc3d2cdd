"""One of three brokers is lost: no accepted command is lost, and the operator types nothing."""

import asyncio

from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.scene.scene import Setup

BROKER = 0
ACCEPTED_WITHIN_SECONDS = 60.0


class BrokerLost:
    """Kill one of three brokers."""

    name = "broker-lost"
    breaks = "one of three Kafka brokers is killed"
    must_hold = "no 202 is lost; commands are applied while the broker is away"
    seconds = 120.0
    needs = Setup(brokers=3)

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Break, show, wait, and start the broker again."""
        story, operator = scene.story, scene.operator
        scene.breaks(f"broker {BROKER + 1} of 3 is killed; two in-sync replicas are left")
        await asyncio.to_thread(scene.cluster.kill, BROKER)

        async def goes_on() -> bool:
            return scene.accepted > 0 and scene.ended > 0

        seconds = await scene.until(goes_on, ACCEPTED_WITHIN_SECONDS, "the first command after the loss")
        story.step("The operator", "gets the cluster's own alert; those of the gateway stay silent")
        story.note("page: docs/operations.md#kafka-is-away")
        await operator.types("check", "--for", "worker")
        await operator.types("top", "--once", "--admin", scene.of_kind("worker")[0].admin_url)
        await operator.finds_the_cause()
        await scene.lasts()
        story.step("Callers", f"wait a moment: {seconds:.1f} s after the loss a command was accepted and another ended")
        story.note(f"{scene.accepted} commands accepted since, {scene.ended} ended")
        went_on = scene.ended
        await operator.waits_for_others("the broker returns with its data and catches up")
        await asyncio.to_thread(scene.cluster.start, BROKER)
        return [] if went_on else [BrokenPromise("no command ended while the broker was away", f"{scene.seconds} s")]
