"""A whole gateway with a read model, and an ingress that is killed and stopped again and again on the same port."""

import asyncio
import contextlib
import itertools
import random

import pytest

from local.event_listener import listening
from local.processes.ports import free_ports
from tests.system.clients.packed import PackedClients

# A start of the ingress takes one to two seconds on a free machine.
RUNS_SECONDS = (0.5, 3.0)
MOST_RESTARTS = 6


class RestartingIngress:
    """One ingress. `restarting()` stops it with SIGKILL and SIGTERM in turn, and starts it on the same port."""

    def __init__(self, installation, seed):
        self._installation = installation
        self._randomness = random.Random(seed)
        self._names = (f"ingress-{number}" for number in itertools.count(1))
        self._port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self._port}"
        self.restarts = 0

    def start(self):
        self._program = self._installation.start("ingress", next(self._names), port=self._port)

    async def ready(self):
        await asyncio.to_thread(self._program.await_ready)

    async def restart(self):
        if self.restarts % 2:
            await asyncio.to_thread(self._program.stop)
        else:
            self._program.process.kill()
            await asyncio.to_thread(self._program.process.wait)
        self.restarts += 1
        self.start()
        await self.ready()

    @contextlib.asynccontextmanager
    async def restarting(self):
        """Restart during the block, and leave a running ingress."""
        is_over = asyncio.Event()

        async def restart_again_and_again():
            while self.restarts < MOST_RESTARTS:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._randomness.uniform(*RUNS_SECONDS)):
                        await is_over.wait()
                        return
                await self.restart()

        task = asyncio.create_task(restart_again_and_again())
        try:
            yield
        finally:
            is_over.set()
            await task


@pytest.fixture
async def installation(install, kafka, postgres):
    """A worker and a projector with their topics and tables. The ingress is the test's to start."""
    installed = await install(kafka, database=postgres)
    programs = [installed.start("worker"), installed.start("projector")]
    for program in programs:
        await asyncio.to_thread(program.await_ready)
    return installed


@pytest.fixture
async def listener(kafka, prefix, installation):
    """A reader of the topic of events, which no restart disturbs."""
    async with listening(kafka, prefix) as listener:
        yield listener


@pytest.fixture
async def ingress(installation):
    ingress = RestartingIngress(installation, seed=19)
    ingress.start()
    await ingress.ready()
    return ingress


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """Both clients, checked and built. Without the check of `make client-packages` no test of them runs."""
    return PackedClients(tmp_path_factory.mktemp("clients"))
