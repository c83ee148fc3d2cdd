"""`make bench`: every benchmark, each beside its floor, one after the other. ARGS="engine:restore chain" picks."""

from __future__ import annotations

import argparse
import subprocess
import sys

from rich.console import Console

_BENCHMARKS = {
    "engine": "the engine beside the bare exactly-once loop",
    "ingress": "the ingress beside bare Starlette and aiokafka",
    "chain": "a command's whole way beside a floor without promises",
    "transport": "calls to Collate beside a bare socket",
    "watcher": "50,000 watched authorizations beside none, and the cadence beside its formulas",
    "reaction": "a change at Collate to its visible event, and calls per hour, beside the cadence's formulas",
    "projector": "the read model beside a bare insert of the same rows",
}


def main() -> int:
    """Run what was asked for; return the worst exit code."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measures speed as a ratio to a floor of the same run; absolute numbers depend on the machine.",
        epilog="  ".join(f"{name}: {what}." for name, what in _BENCHMARKS.items()),
    )
    parser.add_argument(
        "names",
        nargs="*",
        help=f"which ones ({', '.join(_BENCHMARKS)}); default: all. engine:restore is one run of one",
    )
    names = parser.parse_args().names or list(_BENCHMARKS)
    if unknown := [name for name in names if name.partition(":")[0] not in _BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(_BENCHMARKS)}")
    console = Console()
    worst = 0
    for name in names:
        module, _, run = name.partition(":")
        console.rule(f"{name}: {_BENCHMARKS[module]}")
        command = [sys.executable, "-m", f"bench.{module}", *([run] if run else [])]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
