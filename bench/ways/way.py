"""A way back under way: what is lost, what a person types, and how long it takes."""

import asyncio
import re
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from gateway.ingress.commands.publisher import TOPIC_EVERY_SECONDS
from local.failures import StartFailed
from local.installation import GATEWAY
from local.judge.recorded import Evidence
from local.kafka.admin import admin_of
from local.scene.scene import Scene

BACK_WITHIN_SECONDS = 240.0
_VARIES = ((re.compile(r" --admin \S+"), ""), (re.compile(r"( --partition \d+)+"), " --partition N"))


@dataclass
class Back:
    """The scene, with what a person typed and how long each part took."""

    scene: Scene
    waiting: frozenset[str] = frozenset()  # commands without an end when the part was lost
    began: float = 0.0
    typed: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def took(self, what: str) -> None:
        """Note the seconds since the loss."""
        self.seconds[what] = round(time.monotonic() - self.began, 1)
        print(f"  {self.seconds[what]} s: {what}", flush=True)

    async def delete(self, *topics: str) -> None:
        """Delete topics; return when they are gone. Until then Kafka accepts records, such as the end of a command."""
        async with admin_of(self.scene.cluster.bootstrap) as admin:
            await admin.delete_topics(list(topics))

            async def are_gone() -> bool:
                return not set(topics) & set(await admin.list_topics())

            await self.scene.until(are_gone, 60.0, "the end of the deletion")

    async def types(self, *verb: str) -> str:
        """Run `gateway VERB …`. Raises StartFailed if it fails for a minute: a deleted topic is gone a moment later."""
        line = " ".join(["gateway", *verb])
        for pattern, short in _VARIES:
            line = pattern.sub(short, line)
        self.typed += [] if line in self.typed else [line]
        done = subprocess.CompletedProcess[str]([], 0)

        async def works() -> bool:
            nonlocal done
            done = await asyncio.to_thread(self._run, *verb)
            return done.returncode == 0

        try:
            await self.scene.until(works, 60.0, f"the success of `{line}`")
        except StartFailed as failed:
            raise StartFailed(f"{failed} {done.stdout} {done.stderr}") from failed
        self.took(line)
        return done.stdout

    def _run(self, *verb: str) -> subprocess.CompletedProcess[str]:
        environ = self.scene.installation.environ
        return subprocess.run([GATEWAY, *verb], env=environ, capture_output=True, text=True, check=False)

    async def resume(self) -> None:
        """Resume the stopped partitions, each at the worker that has it, until what waited has ended."""
        while not self.has_ended():
            for worker in self.scene.of_kind("worker"):
                each = (await self.scene.http.get(f"{worker.admin_url}/partitions")).json()["partitions"]
                stopped = [word for one in each if one["stopped"] for word in ("--partition", str(one["partition"]))]
                if stopped:
                    await self.types("worker", "resume", *stopped, "--why", "lost", "--admin", worker.admin_url)
            if time.monotonic() - self.began > BACK_WITHIN_SECONDS:
                raise StartFailed(f"Some partitions do not come back: {each}")
            await asyncio.sleep(0.5)

    def has_ended(self) -> bool:
        """Whether every command that waited has ended."""
        return self.waiting <= self.scene.callers.ended.keys()

    async def repeat(self, commands: Iterable[str]) -> None:
        """Let the callers send commands again, with their keys, after every ingress has forgotten them."""
        await asyncio.sleep(2 * TOPIC_EVERY_SECONDS)
        for command in sorted(commands, key=self.scene.callers.accepted.__getitem__):
            await self.scene.callers.repeat(command)
        self.took("callers repeated")

    async def stop(self, kind: str) -> None:
        """Stop the processes of a kind, as `replicas: 0` does."""
        self.typed.append(f"{kind}.replicas: 0")
        await asyncio.gather(*(asyncio.to_thread(program.stop) for program in self.scene.of_kind(kind)))

    async def start(self, kind: str) -> None:
        """Start them again."""
        self.typed.append(f"{kind}.replicas: as before")
        names = [name for name in self.scene.programs if name.startswith(kind)]
        await asyncio.gather(*map(self.scene.start, names))
        self.took(f"{kind}s ready")


@dataclass(frozen=True, slots=True)
class Way:
    """A row of docs/disaster.md.

    Attributes:
        prepare: comes before the load.
        lose: breaks it.
        back: does what the page says.
        restore: adds what was lost to the judge's evidence, from the evidence before the loss.
        allowed: rules of the judge and of `gateway check promises` that break because of the loss, and only of it.
    """

    lose: Callable[[Back], Awaitable[object]]
    back: Callable[[Back], Awaitable[object]]
    restore: Callable[[Evidence, Evidence], Evidence] = lambda _, found: found
    allowed: tuple[str, ...] = ()
    has_read_model: bool = False
    prepare: Callable[[Back], Awaitable[object]] | None = None
