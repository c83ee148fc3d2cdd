"""`make bench`: run all benchmarks, one after another. ARGS="engine:restore chain" selects some."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys

from rich.console import Console

_BENCHMARKS = {
    "engine": "the engine and the bare exactly-once loop",
    "ingress": "the ingress, and bare Starlette with aiokafka",
    "command": "the worker's processor time for a command, without Kafka and sockets",
    "chain": "a command from POST to event, and a floor without promises",
    "transport": "calls to Collate, and a bare socket",
    "watcher": "50,000 watched authorizations and none; the cadence and its formulas",
    "reaction": "the time from a change at Collate to its event, the calls per hour, and the cadence's formulas",
    "projector": "the read model, and a bare insert of the same rows",
    "reads": "the lists of the read model, with a million authorizations",
    "deliverer": "webhooks: events per second and the time to delivery, and aiokafka with httpx",
    "console": "the console's pages with a million authorizations and 50 people; their bytes",
}


def main() -> int:
    """Run the selected benchmarks; return the highest exit code."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measures speed as a ratio to a floor in the same run. Absolute numbers depend on the machine.",
        epilog="  ".join(f"{name}: {description}." for name, description in _BENCHMARKS.items()),
    )
    parser.add_argument(
        "names",
        nargs="*",
        help=f"benchmarks ({', '.join(_BENCHMARKS)}); default: all. engine:restore is one run of the engine's",
    )
    names = parser.parse_args().names or list(_BENCHMARKS)
    if unknown := [name for name in names if name.partition(":")[0] not in _BENCHMARKS]:
        parser.error(f"unknown benchmark: {', '.join(unknown)}; known: {', '.join(_BENCHMARKS)}")
    console = Console()
    # How an interpreter was built changes its speed by a quarter; the path shows which build it is.
    console.print(f"Python {platform.python_version()} of {sys.base_prefix}")
    worst = 0
    for name in names:
        module, _, run = name.partition(":")
        console.rule(f"{name}: {_BENCHMARKS[module]}")
        command = [sys.executable, "-m", f"bench.{module}", *([run] if run else [])]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
