"""Collate is away: no dead letters, and the return of the load stays within the budget."""

from local.drills.drill import Alert
from local.drills.scene import DrillScene
from local.judge.checks import BrokenPromise
from local.scene.scene import Setup

# Enough for the observations of five minutes: with less, the read model would follow late.
CALLS_PER_SECOND = 100
# A bucket of tokens holds a quarter of a second; a second may begin with a full one. Each process probes once.
MOST_IN_A_SECOND = CALLS_PER_SECOND * 1.25 + 3
# The rate begins at a twentieth and rises over three seconds.
MOST_IN_THE_FIRST_SECOND = CALLS_PER_SECOND * 0.5
RECOVERED_WITHIN_SECONDS = 120.0


class CollateDown:
    """Refuse every connection to Collate."""

    name = "collate-down"
    breaks = "Collate refuses every connection"
    must_hold = "no dead letters; callers still get 202; the ramp-up stays within the call budget"
    seconds = 300.0
    needs = Setup(settings={"GATEWAY_COLLATE__CALLS_PER_SECOND": str(CALLS_PER_SECOND)})
    alert = Alert("CollateGatewayCollateDown", "collate-is-down", "collate_gateway_collate_breaker")

    async def run(self, scene: DrillScene) -> list[BrokenPromise]:
        """Break, show, wait, and check."""
        story, operator = scene.story, scene.operator
        scene.breaks("Collate refuses connections, and resets those that are open")
        scene.sim.begin_outage()
        await scene.await_alert(self.alert)
        await operator.types("check", "--for", "worker")
        await operator.types("top", "--once", "--admin", scene.of_kind("worker")[0].admin_url)
        await operator.finds_the_cause()
        await scene.lasts()
        waiting = scene.judge.waiting()
        story.step("Callers", "still get 202; outcomes are late, live calls get 503")
        story.note(f"{scene.accepted} commands accepted since, {scene.ended} ended, {waiting} wait")
        await operator.waits_for_others("Collate accepts connections again; the operator types nothing")
        scene.sim.end_outage()
        back_at = scene.sim.clock.now()
        await scene.late_commands_end(scene.late, RECOVERED_WITHIN_SECONDS)
        rates = {at: count for at, count in scene.sim.ledger.per_second.items() if at >= int(back_at)}
        story.note(f"at most {max(rates.values(), default=0)} calls in a second; the budget is {CALLS_PER_SECOND}")
        dead = await scene.metric("collate_gateway_dead_letters_total")
        broken = [BrokenPromise("an outage caused dead letters", f"{dead:.0f}")] if dead else []
        return broken + [
            BrokenPromise("the ramp-up exceeded the budget", f"{count} calls in second {at}")
            for at, count in rates.items()
            if count > (MOST_IN_THE_FIRST_SECOND if at <= int(back_at) + 1 else MOST_IN_A_SECOND)
        ]
