"""Every port of every process × every attack of a client without a credential: memory and pauses stay flat.

ATTACK_SECONDS sets how long each attack lasts.
"""

import asyncio
import os
import sys
import time
from urllib.parse import urlsplit

import psutil

from local.processes.patience import slowness
from tests.system.security.attacker import ATTACKS

SECONDS = float(os.environ.get("ATTACK_SECONDS", "0.7"))
MOST_MIB = 64
MOST_PAUSE = 2.0


async def longest_pause(port, ending):
    """Return the longest time until a kind client has an answer, in seconds."""
    longest = 0.0
    while not ending.done():
        began = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await reader.read()
            writer.close()
        except OSError:
            pass  # with 2,000 idle connections a port may refuse one more: it must do so at once
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(0.02)
    return longest


async def attacked(program, port, attack):
    """Return the resident memory before and after in MiB, and the longest pause in seconds."""
    process = psutil.Process(program.process.pid)
    before = process.memory_info().rss
    command = (sys.executable, "-m", "tests.system.security.attacker", str(port), attack, str(SECONDS))
    attacker = await asyncio.create_subprocess_exec(*command)
    ending = asyncio.create_task(attacker.wait())
    pause = await longest_pause(port, ending)
    assert await ending == 0
    program.require_running()
    return before / 2**20, process.memory_info().rss / 2**20, pause


async def test_no_client_without_a_credential_fills_or_stops_a_process(install, kafka, postgres, start):
    installed = await install(kafka, database=postgres)
    programs = {verb: await start(installed, verb) for verb in ("ingress", "worker", "projector")}
    programs["console"] = installed.start_console(programs["ingress"])
    await asyncio.to_thread(programs["console"].await_ready)
    ports = [(program, f"{name} admin", urlsplit(program.admin_url).port) for name, program in programs.items()]
    ports += [(programs[name], name, urlsplit(programs[name].url).port) for name in ("ingress", "console")]
    rows, wrong = [], []
    for program, name, port in ports:
        for attack in ATTACKS:
            before, after, pause = await attacked(program, port, attack)
            rows.append(f"{name:16} {attack:14} {before:7.0f} {after:7.0f} MiB {1_000 * pause:7.0f} ms")
            if after - before > MOST_MIB or pause > MOST_PAUSE * slowness():
                wrong.append(rows[-1])
    print("\n".join(rows))
    assert not wrong, "\n".join(wrong)
