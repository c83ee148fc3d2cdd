"""The scene of a drill: what breaks and what happens since, told to the reader, with an operator."""

import asyncio
import time
from dataclasses import dataclass, field

from local.drills.drill import Alert, DrillOptions
from local.drills.operator import Operator
from local.drills.rows import Rows, missing_rows, read_rows
from local.failures import StartFailed
from local.scene.scene import Scene
from local.story import Story

QUIET_WITHIN_SECONDS = 120.0
ALERT_WITHIN_SECONDS = 60.0
# The lag of the read model is measured every second.
PROJECTED_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of the read model, and the number of events before them."""

    events: int
    rows: Rows

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(map(len, self.rows.values()))


@dataclass(kw_only=True)
class DrillScene(Scene):
    """A scene whose callers send commands from before the fault until after the repair."""

    story: Story
    options: DrillOptions
    seconds: float
    operator: Operator
    _accepted: int = field(default=0, repr=False)
    _ended: int = field(default=0, repr=False)
    _breaks_until: float = field(default=0.0, repr=False)

    async def await_alert(self, alert: Alert) -> None:
        """Wait until the alert's sample is true; the operator gets the alert."""

        async def is_true() -> bool:
            return await self.metric(alert.metric) > 0

        self.operator.gets(alert, await self.until(is_true, ALERT_WITHIN_SECONDS, f"the sample of {alert.name}"))

    async def snapshot(self) -> Snapshot:
        """Stop new cases, and return the read model's rows once every command has ended. `callers.resume` goes on."""

        async def is_quiet() -> bool:
            return not self.judge.waiting() and not self.callers.running

        async def has_all() -> bool:
            return await self.metric("collate_gateway_projector_lag") == 0

        self.callers.pause()
        await self.until(is_quiet, QUIET_WITHIN_SECONDS, "the end of every command")
        known = len(self.listener.events)
        await asyncio.sleep(PROJECTED_SECONDS)
        await self.until(has_all, QUIET_WITHIN_SECONDS, "the last record in the read model")
        return Snapshot(known, await asyncio.to_thread(read_rows, self.database.conninfo))

    async def await_rows(self, snapshot: Snapshot, within_seconds: float) -> float:
        """Wait until each row of a snapshot is there again, but for authorizations with later events."""
        missing: list[str] = []

        async def are_back() -> bool:
            after = await asyncio.to_thread(read_rows, self.database.conninfo)
            changed = {event.authorization_id for event in self.listener.events[snapshot.events :]}
            missing[:] = missing_rows(snapshot.rows, after, changed)
            return not missing

        try:
            return await self.until(are_back, within_seconds, "the rows of before in the read model")
        except StartFailed as failed:
            raise StartFailed(f"{failed} {len(missing)} are missing, such as {missing[:1]}.") from failed

    def breaks(self, what: str) -> None:
        """Tell what breaks; from now on commands are counted, and `lasts` waits."""
        self.story.step("Breaks", what)
        self._accepted, self._ended = len(self.callers.accepted), len(self.callers.ended)
        self._breaks_until = time.monotonic() + self.seconds

    async def lasts(self) -> None:
        """Wait until the fault has lasted for its time."""
        await asyncio.sleep(max(0.0, self._breaks_until - time.monotonic()))

    @property
    def accepted(self) -> int:
        """The commands that callers know to be accepted since the fault."""
        return len(self.callers.accepted) - self._accepted

    @property
    def ended(self) -> int:
        """The commands whose end a subscriber has received since the fault."""
        return len(self.callers.ended) - self._ended

    async def late_commands_end(self, late: set[str], within_seconds: float) -> None:
        """Wait until these commands have ended, and tell the time."""

        async def caught_up() -> bool:
            return not late - set(self.callers.ended)

        seconds = await self.until(caught_up, within_seconds, "the end of every command that waited")
        self.story.note(f"{len(late)} waiting commands ended within {seconds:.1f} s")

    @property
    def late(self) -> set[str]:
        """The accepted commands without an end."""
        return set(self.callers.accepted) - set(self.callers.ended)
