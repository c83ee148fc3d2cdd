"""SIGTERM while Kafka is away: an orderly end, although the last results cannot be committed."""

import asyncio
import json
import signal

import httpx
import pytest

from tests.system.gateway.services import Service

COMMANDS = 24  # so that each worker has some
SETTINGS = {
    "GATEWAY_COLLATE__READ_TIMEOUT": "3s",
    "GATEWAY_WORKER__WAITING_AFTER": "1s",
    "GATEWAY_WORKER__STOP_DEADLINE": "3s",
}


@pytest.fixture
async def busy_workers(install, collate, kafka1, *, eventually, request):
    """Workers whose invocations wait for Collate. Three seconds later each has a result to commit."""
    installation = await install(kafka1.bootstrap, settings=SETTINGS)
    ingress, *workers = (installation.start("ingress"), *(installation.start("worker", name) for name in request.param))
    for program in (ingress, *workers):
        await asyncio.to_thread(program.await_ready)
    hanging = collate.fault("hang", method="GET")
    async with httpx.AsyncClient(timeout=120, trust_env=False) as http:
        service = Service(http, ingress, installation.caller_key)
        for authorization in collate.create(count=COMMANDS):
            await service.request(authorization)
    await eventually(lambda: hanging.struck >= COMMANDS)
    return workers


@pytest.mark.parametrize(
    ("fault", "busy_workers"),
    [(signal.SIGKILL, ("one", "two", "three")), (signal.SIGSTOP, ("one",))],
    ids=["killed", "hung"],
    indirect=["busy_workers"],
)
async def test_workers_with_results_stop_in_order_without_kafka(kafka1, busy_workers, fault, eventually):
    await asyncio.to_thread(kafka1.kill, 0, fault)
    try:
        # An attempt is logged at once; its result follows, and would be logged only after a commit.
        await eventually(lambda: all("collate.attempt" in worker.log.read_text() for worker in busy_workers))
        codes = await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in busy_workers))
    finally:
        if fault is signal.SIGSTOP:
            await asyncio.to_thread(kafka1.kill, 0, signal.SIGCONT)
    for worker, code in zip(busy_workers, codes, strict=True):
        lines = worker.log.read_text().splitlines()
        assert not [line for line in lines if not line.startswith("{")], "a traceback"
        last = json.loads(lines[-1])
        assert (code, last["event"], last["code"]) == (0, "process.stopped", 0)
