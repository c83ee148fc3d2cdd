"""`python -m local.collate`: print the URL as a JSON line, and serve until SIGINT or SIGTERM."""

import argparse
import asyncio
import gc
import json
import signal
import sys
from typing import Any

import uvloop

from local.collate.profile import NAMED, named
from local.collate.simulation import Options
from local.collate.web.server import SimulatedCollate


def main() -> int:
    """Run the server until a signal."""
    parser = argparse.ArgumentParser(prog="python -m local.collate", description="A simulated Collate.")
    parser.add_argument("--port", type=int, default=0, help="port; 0 means a free port")
    parser.add_argument("--profile", action="append", choices=list(NAMED), help="profile; can be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="READING=JSON", help="value of one reading")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="delay of each response")
    given = parser.parse_args()
    try:
        profile = named(given.profile or ["v2"], dict(map(_reading, given.set)))
    except ValueError as problem:
        parser.error(str(problem))
    # Ledger and keys hold hundreds of thousands of live objects; frequent garbage collections would distort a bench.
    gc.set_threshold(100_000, 50, 100)
    uvloop.run(_serve(Options(profile=profile, latency_seconds=given.latency_ms / 1000), given.port))
    return 0


async def _serve(options: Options, port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with SimulatedCollate(options, port=port) as sim:
        print(json.dumps({"url": sim.url}), flush=True)
        await stopped.wait()


def _reading(item: str) -> tuple[str, Any]:
    name, is_pair, value = item.partition("=")
    if not is_pair:
        raise ValueError(f"--set needs READING=JSON, not {item!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main())
