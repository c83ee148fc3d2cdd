"""`python -m local.collate`: print the URLs as one JSON line, and serve until SIGINT or SIGTERM."""

import argparse
import asyncio
import gc
import importlib
import importlib.util
import json
import os
import signal
import sys
from typing import Any

from local.collate.profile import NAMED, named
from local.collate.simulation import DEFAULT_KEY, DEFAULT_ORGANIZATION, Options
from local.collate.web.server import SimulatedCollate

_PARENT_CHECK_SECONDS = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Run the server until a signal."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        readings = dict(_reading(item) for item in given.set)
        options = Options(
            profile=named(given.profile or ["v2"], readings),
            keys=dict(_key(item) for item in given.key or [f"{DEFAULT_KEY}={DEFAULT_ORGANIZATION}"]),
            latency_seconds=given.latency_ms / 1000,
            ledger_limit=given.ledger_limit,
            seed=given.seed,
        )
    except ValueError as problem:
        parser.error(str(problem))
    # Ledger and keys hold hundreds of thousands of live objects; frequent garbage collections would distort a bench.
    gc.set_threshold(100_000, 50, 100)
    runner = asyncio.Runner(loop_factory=_loop_factory())
    with runner:
        runner.run(_serve(options, given))
    return 0


async def _serve(options: Options, given: argparse.Namespace) -> None:
    stopped, parent = asyncio.Event(), os.getppid()  # the parent may exit as soon as it has read the addresses
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with SimulatedCollate(options, host=given.host, port=given.port, control_port=given.control_port) as sim:
        print(json.dumps({"url": sim.url, "control": sim.control_url, "pid": os.getpid()}), flush=True)
        if given.exit_with_parent:
            _watch_parent(loop, parent, stopped)
        await stopped.wait()


def _watch_parent(loop: asyncio.AbstractEventLoop, parent: int, stopped: asyncio.Event) -> None:
    if os.getppid() != parent:
        stopped.set()
    else:
        loop.call_later(_PARENT_CHECK_SECONDS, _watch_parent, loop, parent, stopped)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.collate", description="A simulated Collate.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="port of the public API; 0 means a free port")
    parser.add_argument(
        "--control-port", type=int, default=0, help="port of the control API, which is reachable during an outage too"
    )
    parser.add_argument("--profile", action="append", choices=list(NAMED), help="profile; can be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="READING=JSON", help="value of one reading")
    parser.add_argument("--key", action="append", metavar="KEY=ORGANIZATION", help="API key; can be repeated")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="delay of each response")
    parser.add_argument(
        "--ledger-limit", type=int, default=200_000, help="maximum number of calls, and of effects, in the ledger"
    )
    parser.add_argument("--seed", type=int, default=None, help="seed for ids and stale reads")
    parser.add_argument("--exit-with-parent", action="store_true", help="exit when the parent process exits")
    return parser


def _reading(item: str) -> tuple[str, Any]:
    name, is_pair, value = item.partition("=")
    if not is_pair:
        raise ValueError(f"--set needs READING=JSON, not {item!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _key(item: str) -> tuple[str, str]:
    token, is_pair, organization = item.partition("=")
    if not (is_pair and token and organization):
        raise ValueError("--key needs KEY=ORGANIZATION")
    return token, organization


def _loop_factory() -> Any:
    """Return uvloop's event loop factory if uvloop is installed."""
    return importlib.import_module("uvloop").new_event_loop if importlib.util.find_spec("uvloop") else None


if __name__ == "__main__":
    sys.exit(main())
