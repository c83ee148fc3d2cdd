"""`make bench`: run all benchmarks, one after another. ARGS="engine:restore chain" selects some.

ARGS="chain --commands 40000" gives options to one; ARGS="chain --help" shows them.

ARGS=--table measures the rows of docs/capacity.md into `bench/measured.json`; ARGS=--compare measures the
processor time of a request and of a command again, on the same kind of machine.
"""

import argparse
import subprocess
import sys

from rich.console import Console

from bench.table import compare, machine, measure

BENCHMARKS = {
    "engine": "the engine and the bare exactly-once loop",
    "ingress": "the ingress, FastAPI with FastStream, and bare Starlette with aiokafka",
    "chain": "a command from POST to event, and a floor without promises",
    "fair": "two callers beside the backlog of greedy callers, at 20 calls per second",
    "watcher": "many watched authorizations and none",
    "projector": "the read model, and a bare insert of the same rows",
    "reads": "the lists of the read model, with a million authorizations",
    "promises": "a pass of `gateway check promises`: seconds of one core, and memory",
    "deliverer": "webhooks: events per second and the time to delivery, and aiokafka with aiohttp",
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
    parser.add_argument("--table", action="store_true", help="measure the table of docs/capacity.md, or its names")
    parser.add_argument("--compare", action="store_true", help="compare processor time with the table; 1 if worse")
    arguments = sys.argv[1:]
    own = next((at for at, word in enumerate(arguments) if at and word.startswith("-")), len(arguments))
    given, options = parser.parse_args(arguments[:own]), arguments[own:]
    if given.compare:
        return compare()
    if given.table:
        return measure(given.names)
    names = given.names or list(BENCHMARKS)
    if unknown := [name for name in names if name.partition(":")[0] not in BENCHMARKS]:
        parser.error(f"unknown benchmark: {', '.join(unknown)}; known: {', '.join(BENCHMARKS)}")
    if options and len(names) > 1:
        parser.error(f"{' '.join(options)}: options belong to one benchmark, and these are {len(names)}")
    console = Console()
    console.print(machine())
    worst = 0
    for name in names:
        module, _, run = name.partition(":")
        console.rule(f"{name}: {BENCHMARKS[module]}")
        command = [sys.executable, "-m", f"bench.{module}", *([run] if run else []), *options]
        worst = max(worst, subprocess.run(command, check=False).returncode)
    return worst


if __name__ == "__main__":
    sys.exit(main())
