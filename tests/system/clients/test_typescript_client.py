"""The TypeScript client, packed and run by Node, under an ingress that is killed and stopped again and again."""

import asyncio
import json
from pathlib import Path

from local.processes.patience import within
from tests.system.clients.judge import judge

COMMANDS = 60
OVER_SECONDS = 12


async def test_restarts_lose_and_double_no_command_and_no_event(ingress, installation, collate, listener, packed):
    authorizations = collate.create(count=COMMANDS)
    command, environ = packed.node(
        Path(__file__).with_name("restarts.mjs"),
        URL=ingress.url,
        KEY=installation.caller_key,
        AUTHORIZATIONS=",".join(authorizations),
        OVER_SECONDS=str(OVER_SECONDS),
    )
    program = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert await program.stderr.readline() == b"open\n"
        async with ingress.restarting(), within(240):
            output, errors = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    assert program.returncode == 0, errors.decode()
    found = json.loads(output)
    await judge(listener, collate, authorizations, found["outcomes"], [tuple(one) for one in found["streamed"]])
    assert ingress.restarts >= 2
    assert found["reconnects"] >= 1
