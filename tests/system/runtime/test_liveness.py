"""No process is restarted because Kafka is away: /livez stays green while its loops wait."""

import asyncio
import signal
import time

import httpx
import pytest

# A beat's deadline that is shorter than one timeout of a Kafka client, as a real deadline is shorter than all of them.
STALLED_AFTER_SECONDS = 2
AWAY_SECONDS = 32


async def reds_of(programs, seconds):
    """Ask every process four times a second; return each probe that was red, with its time and reason."""
    reds, began = [], time.monotonic()
    async with httpx.AsyncClient(trust_env=False, timeout=120) as http:
        while (passed := time.monotonic() - began) < seconds:
            for program in programs:
                program.require_running()
                response = await http.get(f"{program.admin_url}/livez")
                if response.status_code != 200:
                    reds.append((program.name, round(passed, 1), response.text))
            await asyncio.sleep(0.25)
    return reds


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_a_broker_away_for_longer_than_every_deadline_never_turns_livez_red(fault, kafka1, install, postgres):
    settings = {"GATEWAY_ADMIN__STALLED_AFTER": f"{STALLED_AFTER_SECONDS}s"}
    installation = await install(kafka1.bootstrap, database=postgres, settings=settings)
    programs = [installation.start(verb) for verb in ("ingress", "worker", "projector")]
    for program in programs:
        await asyncio.to_thread(program.await_ready)
    await asyncio.to_thread(kafka1.kill, 0, fault)
    try:
        assert await reds_of(programs, AWAY_SECONDS) == []
    finally:
        if fault is signal.SIGSTOP:
            await asyncio.to_thread(kafka1.kill, 0, signal.SIGCONT)
        else:
            await asyncio.to_thread(kafka1.start, 0)
    for program in programs:
        await asyncio.to_thread(program.await_ready)
