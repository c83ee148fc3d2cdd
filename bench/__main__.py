"""`make bench`: run all benchmarks, one after another. ARGS="engine:restore chain" selects some.

ARGS="chain --commands 40000" gives options to one; ARGS="chain --help" shows them.
"""

import argparse
import platform
import subprocess
import sys

from rich.console import Console

BENCHMARKS = {
    "engine": "the engine and the bare exactly-once loop",
    "ingress": "the ingress, FastAPI with FastStream, and bare Starlette with aiokafka",
    "chain": "a command from POST to event, and a floor without promises",
    "fair": "two callers beside the backlog of greedy callers, at 20 calls per second",
    "watcher": "many watched authorizations and none",
    "projector": "the read model, and a bare insert of the same rows",
    "reads": "the lists of the read model, with a million authorizations",
    "promises": "a pass of `gateway check promises`: seconds of one core, and memory",
    "deliverer": "webhooks: events per second and the time to delivery, and aiokafka with httpx",
}


def main() -> int:
    """Run the selected benchmarks; return the highest exit code."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Measures speed as a ratio to a floor in the same run. Absolute numbers depend on the machine.",
        epilog="  ".join(f"{name}: {description}." for name, description in BENCHMARKS.items()),
    )
    parser.add_argument(
        "names",
        nargs="*",
        help=f"benchmarks ({', '.join(BENCHMARKS)}); default: all. engine:restore is one run of the engine's. "
        "Options behind one name are the benchmark's own: chain --help shows them",
    )
    arguments = sys.argv[1:]
    own = next((at for at, word in enumerate(arguments) if at and word.startswith("-")), len(arguments))
    names, options = parser.parse_args(arguments[:own]).names or list(BENCHMARKS), arguments[own:]
    if unknown := [name for name in names if name.partition(":")[0] not in BENCHMARKS]:
        parser.error(f"unknown benchmark: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}")
    if options and len(names) > 1:
        parser.error(f"{' '.join(options)}: options belong to one benchmark, and these are {len(names)}")
    console = Console()
    # How an interpreter was built changes its speed by a quarter; the path shows which build it is.
    console.print(f"Python {platform.python_version()} of {sys.base_prefix}")
    worst = 0
    for name in names:
        module, _, run = name.partition(":")
        console.rule(f"{name}: {BENCHMARKS[module]}")
        command = [sys.executable, "-m", f"bench.{module}", *([run] if run else []), *options]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
