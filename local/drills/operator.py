"""The operator of a drill: the alert, the section of the runbook, the commands, and the repair.

Without --hands-on the drill types the commands and mends the fault itself. With it the operator gets a file of
environment variables, finds the cause, and mends the fault with the product's verbs; the drill measures both times.
"""

import asyncio
import shlex
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from local.drills.drill import Alert
from local.failures import StartFailed
from local.installation import GATEWAY, Program
from local.story import Story

MOST_LINES = 14
COLUMNS = "110"
MENDED_WITHIN_SECONDS = 3_600.0
POLL_SECONDS = 0.5


class Operator:
    """Reads, types and mends."""

    def __init__(
        self,
        story: Story,
        environ: Mapping[str, str],
        programs: Mapping[str, Program],
        directory: Path,
        *,
        hands_on: bool,
    ) -> None:
        self._story, self._environ, self._programs, self._directory = story, environ, programs, directory
        self.hands_on = hands_on
        self.times: dict[str, float] = {}

    def gets(self, alert: Alert, seconds: float) -> None:
        """Show the alert, whose sample was true after `seconds`, and its page."""
        self.times["the alert's sample was true"] = seconds
        self._story.step("The operator", f"gets [bold red]{alert.name}[/]")
        self._story.note(f"{alert.metric} was above 0 after {seconds:.1f} s; page: {alert.address}")

    async def types(self, *verb: str) -> str:
        """Run `gateway VERB …` in the environment of the installation, show it, and return its output."""
        done = await self.run(*verb)
        self._story.output(
            f"gateway {shlex.join(verb)}", done.stdout.splitlines() + done.stderr.splitlines(), MOST_LINES
        )
        return done.stdout

    async def run(self, *verb: str) -> subprocess.CompletedProcess[str]:
        """Run `gateway VERB …` in the environment of the installation, without showing it."""
        environ = {**self._environ, "COLUMNS": COLUMNS, "TERM": "dumb", "NO_COLOR": "1"}
        for name, program in self._programs.items():
            if verb[:2] == ("check", "--for") and name.partition("-")[0] == verb[2]:
                environ["GATEWAY_ADMIN__PORT"] = program.admin_url.rpartition(":")[2]

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run([GATEWAY, *verb], env=environ, capture_output=True, text=True, check=False)

        return await asyncio.to_thread(run)

    async def finds_the_cause(self) -> None:
        """With --hands-on: give the operator the environment, and measure the time until Return is pressed."""
        if not self.hands_on:
            return
        place = self._directory / "operator.sh"
        place.touch(mode=0o600)
        changed = {name: value for name, value in self._environ.items() if name.startswith(("GATEWAY_", "COLLATE_"))}
        urls = {name: program.admin_url for name, program in self._programs.items()}
        changed["COLLATE_GATEWAY_ADMIN"] = " ".join(f"{name}={url}" for name, url in urls.items())
        # For `gateway check --for worker` and `gateway worker resume`.
        changed["GATEWAY_ADMIN__PORT"] = next(
            url.rpartition(":")[2] for name, url in urls.items() if name.startswith("worker")
        )
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in changed.items()]
        place.write_text("".join([*lines, f"export PATH={shlex.quote(str(GATEWAY.parent))}:$PATH\n"]))
        self._story.step("You", f"are the operator. In another terminal: [bold]source {place}[/]")
        self._story.note("Find the cause with the product's verbs and pages only. Press Return when you know it.")
        self.times["the operator knew the cause"] = await self._until_return()

    async def mends(
        self, what: str, repair: Callable[[], Awaitable[object]], is_mended: Callable[[], Awaitable[object]]
    ) -> None:
        """Mend the fault: the drill by `repair`, or the operator, measured until `is_mended`."""
        if not self.hands_on:
            await self.does(f"mends it: {what}", repair)
            return
        began = time.monotonic()
        self._story.step("You", f"mend it: {what}")
        while not await is_mended():
            if time.monotonic() - began > MENDED_WITHIN_SECONDS:
                raise StartFailed("The drill stopped: the fault was not mended within an hour.")
            await asyncio.sleep(POLL_SECONDS)
        self.times["the repair took"] = time.monotonic() - began

    async def does(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do the operator's work, measured."""
        began = time.monotonic()
        self._story.step("The operator", what)
        await work()
        self.times["the repair took"] = time.monotonic() - began

    async def waits_for_others(self, what: str) -> None:
        """Name a repair that is not the operator's, such as Collate's."""
        self._story.step("It heals", what)

    async def _until_return(self) -> float:
        began = time.monotonic()
        await asyncio.to_thread(sys.stdin.readline)
        return time.monotonic() - began
