"""The story of a cell: under load each worker and ingress is replaced, then the judge and `gateway check promises`.

    python -m tests.matrix.story --other dist/matrix/python3.13/bin/gateway

With another program, such as that of another Python, its processes run beside this one's on the same topics.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from local.judge.checks import BrokenPromise
from local.scene.scene import Setup, open_scene, progress

CASES_PER_SECOND = 2.0
# So long programs of both run: in this order each verb has one of each.
BESIDE_SECONDS = 3.0
ORDER = ("worker-0", "ingress-0", "worker-1", "ingress-1")
ENDED_WITHIN_SECONDS = 60.0


async def play(other: Path | None) -> list[BrokenPromise]:
    """Run the story and return what was broken."""
    log, broken = progress(), list[BrokenPromise]()
    async with open_scene(Setup(name="matrix", ingresses=2), log) as scene:
        load = asyncio.create_task(scene.callers.run_until(float("inf"), CASES_PER_SECOND))
        for program in (other, None) if other else (None,):
            for name in ORDER:
                await asyncio.sleep(BESIDE_SECONDS)
                code = await scene.replace(name, gateway=program)
                log(f"{name} ended with exit code {code}; now it is {program or 'of this Python'}")
                broken += [BrokenPromise("a process did not stop in order", f"{name}: exit code {code}")] * (code != 0)
        await asyncio.sleep(BESIDE_SECONDS)
        await scene.end_load(load, ENDED_WITHIN_SECONDS)
        evidence, found = await scene.verdict(ENDED_WITHIN_SECONDS, log)
        log(", ".join(f"{count} {what}" for what, count in scene.counts(evidence).items()))
        if broken := broken + found:
            log(f"logs are kept in {scene.keep()}")
    return broken


def main() -> int:
    """Run the story and print the result."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix.story")
    parser.add_argument("--other", type=Path, help="another program `gateway`")
    broken = asyncio.run(play(parser.parse_args().other))
    for promise in broken[:20]:
        print(f"broken: {promise.rule}: {promise.where}")
    print(f"{len(broken)} broken promises")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
