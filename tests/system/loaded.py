"""An installation under load: a worker, an ingress, and callers that send commands until the end."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

from local.event_listener import Listener, listening
from local.installation import Installation, Program
from local.scene.callers import CALLERS, Callers, write_callers
from local.scene.settings import READINGS, SETTINGS

CASES_PER_SECOND = 5.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """The parts. All events so far are in `listener.events`."""

    installation: Installation
    worker: Program
    ingress: Program
    callers: Callers
    key: str  # of one of the callers
    listener: Listener
    load: asyncio.Task[None]

    async def end(self) -> None:
        """Begin no more cases, and wait until those that have begun end."""
        self.callers.stop()
        await self.load


@asynccontextmanager
async def under_load(run, kafka, prefix, collate, start, seed):  # noqa: PLR0917 - the fixtures
    collate.use("v2", **READINGS)
    keys = write_callers(run.directory / "services.toml")
    settings = SETTINGS | {"GATEWAY_INGRESS__CALLERS_FILE": str(run.directory / "services.toml")}
    installation = Installation(run, bootstrap=kafka, collate_url=collate.url, prefix=prefix, settings=settings)
    await asyncio.to_thread(installation.apply_topics)
    worker, ingress = await start(installation, "worker"), await start(installation, "ingress")
    callers = Callers(collate, [ingress.url], keys, seed=seed)
    async with listening(kafka, prefix, callers.on_event) as listener, listener.in_background():
        load = asyncio.create_task(callers.run_until(float("inf"), CASES_PER_SECOND))
        try:
            yield Loaded(installation, worker, ingress, callers, keys[CALLERS[0]], listener, load)
            listener.require_reading()
        finally:
            load.cancel()
            (ended,) = await asyncio.gather(load, return_exceptions=True)
            await callers.close()
            assert not isinstance(ended, Exception), ended
