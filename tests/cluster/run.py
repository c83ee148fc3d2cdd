"""`make cluster-test`: cases on real clusters, each under a load of commands and with a verdict of the judge.

Runs inside the sandbox of `local.kubernetes`. A transcript of each case goes to dist/cluster.
"""

import argparse
import asyncio
import logging
import signal
import sys
import time
from functools import partial
from pathlib import Path

from local.event_listener import listening
from local.failures import exit_code
from local.judge.evidence import PastStates
from local.kubernetes.__main__ import run as run_in_sandbox
from local.kubernetes.cluster import kubernetes
from local.kubernetes.deployment import IMAGE
from local.kubernetes.paths import OF_THIS_TREE, ROOT, Artifacts, programs
from local.kubernetes.servers import PREFIX
from tests.cluster import scene as scenes
from tests.cluster.cases import CASES, NODES

TRANSCRIPTS = ROOT / "dist" / "cluster"


async def run_cases(names, nodes, first, later):
    began, failed = time.monotonic(), []

    def report(what):
        print(f"  {time.monotonic() - began:5.1f} s  {what}", flush=True)

    async with kubernetes(programs(), [first, later], report, nodes=nodes) as cluster:
        if later.archive == first.archive:
            for node in cluster.nodes:
                await asyncio.to_thread(node.tag, f"{IMAGE}:{first.tag}", f"{IMAGE}:{later.tag}")
        past = PastStates(cluster.servers.collate)
        await asyncio.to_thread(cluster.deployment.prepare)
        await asyncio.to_thread(cluster.deployment.install)
        report("the chart is installed, and every pod is ready")
        scene = await asyncio.to_thread(scenes.make, cluster, later, past)
        events = listening(cluster.servers.bootstrap, PREFIX, scene.callers.on_event)
        async with events as listener, listener.in_background():
            try:
                failed = [name for name in names if not await run_case(name, scene)]
            finally:
                await scene.callers.close()
    print(f"{len(names) - len(failed)} of {len(names)} cases passed; failed: {failed or 'none'}")
    return 1 if failed else 0


async def run_case(name, scene):
    """Run one case under load, and write its transcript."""
    scene.begin()
    print(f"\n== {name}", flush=True)
    watching, problems = asyncio.create_task(scene.watch_pods()), []
    try:
        async with scene.load():
            await asyncio.sleep(3)
            await CASES[name](scene)
        problems = await scene.verdict()
    except Exception as error:  # noqa: BLE001 - a failed case must not hide the others
        problems = [f"{type(error).__name__}: {error}"]
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    for problem in problems[:10]:
        scene.note(f"BROKEN {problem[:1500]}")
    accepted, ended = len(scene.callers.accepted), len(scene.callers.accepted.keys() & scene.callers.ended.keys())
    kept = "nothing lost, doubled or out of order" if not problems else f"{len(problems)} problems"
    scene.note(f"verdict: {kept}; commands since the installation: {accepted} accepted, {ended} ended")
    TRANSCRIPTS.mkdir(parents=True, exist_ok=True)
    (TRANSCRIPTS / f"{name}.txt").write_text("\n".join([(CASES[name].__doc__ or name).strip(), "", *scene.log, ""]))
    return not problems


def artifacts(words):
    chart, image, tag = words
    return Artifacts(Path(chart), Path(image), tag)


def main():
    parser = argparse.ArgumentParser(prog="make cluster-test", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", nargs="*", help="all, if none is given")
    made_of = {"nargs": 3, "metavar": ("CHART", "IMAGE", "TAG")}
    parser.add_argument("--install", **made_of, default=OF_THIS_TREE, help="install these instead of this tree's")
    parser.add_argument("--upgrade-to", **made_of, help="let the cases that upgrade take these")
    parser.add_argument("--inside", type=int, metavar="NODES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.cases) - CASES.keys():
        parser.error(f"there is no case {', '.join(sorted(unknown))}; choose from: {', '.join(CASES)}")
    if options.inside:
        # The first process of a namespace gets only signals that it handles; Ctrl-C arrives as SIGTERM.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a stopped broker is expected here
        first = artifacts(options.install)
        later = artifacts(options.upgrade_to) if options.upgrade_to else first._replace(tag="next")
        return asyncio.run(run_cases(options.cases, options.inside, first, later))
    clusters = by_nodes(options.cases or CASES)
    return max(exit_code(partial(run_on, nodes, names, options)) for nodes, names in clusters.items())


def run_on(nodes, names, options):
    """Run cases on a cluster of their own; return the exit code."""
    words = ["--install", *map(str, options.install), "--inside", str(nodes)]
    words += ["--upgrade-to", *options.upgrade_to] if options.upgrade_to else []
    return run_in_sandbox("tests.cluster.run", [*words, "--", *names], has_images=options.install != OF_THIS_TREE)


def by_nodes(names):
    """Return the cases of each cluster by its number of nodes."""
    clusters = {}
    for name in names:
        clusters.setdefault(NODES.get(name, 1), []).append(name)
    return clusters


if __name__ == "__main__":
    sys.exit(main())
