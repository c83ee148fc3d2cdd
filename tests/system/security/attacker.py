"""`python -m tests.system.security.attacker PORT KIND SECONDS`: a client without a credential that means harm."""

import asyncio
import resource
import sys
from contextlib import suppress

GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
BIG = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


async def opened(port):
    return await asyncio.open_connection("127.0.0.1", port)


async def pipeline(port):
    """Repeat a small GET and read nothing."""
    _, writer = await opened(port)
    while True:
        writer.write(GET * 9_800)
        await writer.drain()


async def read_slowly(port):
    """Ask for what is large, as often as the bound allows, and read a byte in a tenth of a second."""
    reader, writer = await opened(port)
    writer.write(BIG * 30)
    while True:
        if not await reader.read(1):
            return
        await asyncio.sleep(0.1)


async def send_slowly(port):
    """Send a byte of a head in a tenth of a second."""
    _, writer = await opened(port)
    for byte in GET[:-2] + b"A: " + b"b" * 10_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def idle(port):
    """Open a connection and say nothing."""
    reader, _ = await opened(port)
    await reader.read()


async def send_endless_body(port):
    """Send a body that never ends."""
    _, writer = await opened(port)
    writer.write(b"POST /v1/commands HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def half_close(port):
    """Send as many requests as the bound allows, close the own side, and read nothing."""
    reader, writer = await opened(port)
    writer.write(BIG * 30)
    writer.write_eof()
    await asyncio.sleep(60)
    del reader


ATTACKS = {
    "pipeliner": (pipeline, 4),
    "slow reader": (read_slowly, 100),
    "slow sender": (send_slowly, 200),
    "2,000 idle": (idle, 2_000),
    "endless body": (send_endless_body, 8),
    "half-closed": (half_close, 100),
}


async def again(attack, port):
    """Attack again after each refusal."""
    while True:
        with suppress(OSError):
            await attack(port)
        await asyncio.sleep(0.05)


async def main(port, kind, seconds):
    attack, count = ATTACKS[kind]
    attacking = [asyncio.create_task(again(attack, port)) for _ in range(count)]
    await asyncio.sleep(seconds)
    for one in attacking:
        one.cancel()
    await asyncio.wait(attacking)


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
