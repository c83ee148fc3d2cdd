"""Inside the sandbox: start the cluster, install the chart, show the pods, and leave it running if wished."""

import argparse
import asyncio
import signal
import sys

from local.failures import LocalError
from local.kubernetes.cluster import kubernetes
from local.kubernetes.control_plane import PORT
from local.kubernetes.paths import OF_THIS_TREE, programs
from local.kubernetes.sandbox import INSIDE_ADDRESS
from local.kubernetes.tools import NAMESPACE
from local.scene.scene import progress

FAILED, INTERRUPTED = 1, 130
MOST_NODES = 9


async def show(*, nodes: int, keep: bool) -> None:
    """Run until the pods are shown, or until a signal."""
    report = progress()
    reached = [INSIDE_ADDRESS]
    async with kubernetes(programs(), [OF_THIS_TREE], report, nodes=nodes, addresses=reached) as cluster:
        await asyncio.to_thread(cluster.deployment.prepare)
        await asyncio.to_thread(cluster.deployment.install)
        report("the chart is installed, and every pod is ready")
        print(await asyncio.to_thread(cluster.tools.kubectl, "get", "pods", "--output", "wide"))
        print(await asyncio.to_thread(cluster.deployment.test))
        report("`helm test` has passed")
        if keep:
            outside = cluster.control_plane.write_kubeconfig("kubeconfig-outside", f"https://{INSIDE_ADDRESS}:{PORT}")
            print(f"\n  export KUBECONFIG={outside}\n  {programs()}/kubectl --namespace {NAMESPACE} get pods\n")
            print(f"  the key of the caller scheduling: {cluster.keys['scheduling']}\n  Ctrl-C stops everything.")
            await _signal()
    report("everything is stopped")


async def _signal() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()


def parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the arguments, which `make cluster` passes on."""
    words = argparse.ArgumentParser(prog=program, description="Run a real Kubernetes with the chart installed.")
    words.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C, and print the kubeconfig")
    words.add_argument("--nodes", type=int, choices=range(1, MOST_NODES + 1), default=1, help="how many (default: 1)")
    return words


def main() -> int:
    """Show the cluster; return the exit code."""
    code = 0
    options = parser("show").parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(show(nodes=options.nodes, keep=options.keep))
    except* LocalError as failed:
        for error in failed.exceptions:
            print(error, file=sys.stderr)
        code = FAILED
    except* KeyboardInterrupt:
        code = INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
