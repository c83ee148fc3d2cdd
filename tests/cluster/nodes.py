"""Cases of three nodes: one of them is cut off, drained while Kafka is away, or lost."""

import asyncio
import contextlib
import math
import signal
import time

from tests.cluster.alerts import watched
from tests.cluster.changes import RESTORED_SECONDS, SESSION_SECONDS
from tests.cluster.scene import require

CUT_OFF_SECONDS = 60
KAFKA_AWAY_SECONDS = 60
# Until Kubernetes says that a node does not answer (20 s here, `--node-monitor-grace-period`), Services send requests
# there. Each has the callers' timeout, 12 s; then kube-proxy has a moment.
ROUTED_AWAY_SECONDS = 12 + 5
# Owners waits 2 s for a worker that does not answer.
MOVED_SECONDS = SESSION_SECONDS + RESTORED_SECONDS + 5
# The pods stay for another 300 s, the default toleration.
SAID_WITHIN_SECONDS, EVICTED_WITHIN_SECONDS = 120, 420
# 36 s on a busy machine, with 20 s of the collector of pods; new processes on a machine that stalls take long.
REPLACED_WITHIN_SECONDS = 1080
READY = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"


async def node_cut_off(scene):
    """A node is cut off for 60 s with its worker alive, and connected again."""
    node, before = await a_workers_node(scene), await scene.restarts()
    async with silent(scene, node.machine.name, node.machine.unplug) as since:
        await asyncio.sleep(since + CUT_OFF_SECONDS - time.monotonic())
        await asyncio.to_thread(node.machine.plug)
        scene.note(f"{node.machine.name} is connected again")
        scene.note(f"every pod is ready after {await scene.until_ready():.1f} s")
    require(await scene.restarts() == before, "no pod was restarted")


async def node_drained_without_kafka(scene):
    """A node is drained while Kafka is away; then Kafka comes back, and the node is uncordoned."""
    node, broker = await a_workers_node(scene), scene.servers.kafka
    name = node.machine.name
    async with watched(scene):
        await asyncio.to_thread(broker.kill, 0, signal.SIGKILL)
        scene.note("Kafka is killed")
        await asyncio.sleep(KAFKA_AWAY_SECONDS)
        began = time.monotonic()
        await scene.kubectl("drain", name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=240s")
        scene.note(f"{name} is drained after {time.monotonic() - began:.1f} s")
        require(not (await pods_by_node(scene)).get(name), f"no pod is left on {name}")
        await asyncio.to_thread(broker.start, 0)
        scene.note("Kafka is back")
        scene.note(f"every pod is ready after {await scene.until_ready():.1f} s")
        await scene.kubectl("uncordon", name)


async def node_lost(scene):
    """A node is lost with its pods. What Kubernetes replaces alone, and what an operator must do for the rest."""
    node = await a_workers_node(scene)
    name = node.machine.name
    lost = (await pods_by_node(scene))[name]
    numbered = {one for one, pod in (await scene.pods()).items() if one in lost and is_numbered(pod)}
    async with silent(scene, name, node.machine.lose):

        async def are_leaving():
            pods = await scene.pods()
            return all("deletionTimestamp" in pods[one]["metadata"] for one in lost & pods.keys())

        seconds = await scene.until(are_leaving, EVICTED_WITHIN_SECONDS, "the evictions")
        scene.note(f"its pods are to go after another {seconds:.1f} s")

        async def are_replaced():
            elsewhere = [pods for one, pods in (await pods_by_node(scene)).items() if one != name]
            return sum(map(len, elsewhere)) == await asyncio.to_thread(scene.tools.wanted_pods) - len(numbered)

        scene.note(f"those of Deployments are replaced after {await scene.until(are_replaced, 240, 'new pods'):.1f} s")
        await asyncio.sleep(30)
        left = (await pods_by_node(scene)).get(name, set())
        scene.note(f"those of StatefulSets are not: {', '.join(sorted(numbered))}")
        require(numbered <= left, "Kubernetes does not replace a StatefulSet's pod on a node that does not answer")
        await scene.kubectl("taint", "nodes", name, OUT_OF_SERVICE)
        scene.note(f"every pod is ready after {await scene.until_ready(REPLACED_WITHIN_SECONDS):.1f} s")
    await scene.kubectl("delete", "node", name)


@contextlib.asynccontextmanager
async def silent(scene, name, begin):
    """Let a node fall silent; run the block when Kubernetes says so. Yield since when.

    Until then, requests may get no response. Then none may be disturbed, and each partition has another worker.
    """
    said = math.inf

    async def is_unknown():
        return await asyncio.to_thread(scene.tools.kubectl, "get", "node", name, "--output", READY) == "Unknown"

    def is_of_silence(seen):
        return not seen.what[0].isdigit() and seen.at < said + ROUTED_AWAY_SECONDS

    async with watched(scene), scene.undisturbed(but_for=is_of_silence), scene.owned(MOVED_SECONDS):
        since = time.monotonic()
        await asyncio.to_thread(begin)
        scene.note(f"{name} is silent, with {', '.join(sorted((await pods_by_node(scene))[name]))}")
        scene.note(f"Kubernetes says so after {await scene.until(is_unknown, SAID_WITHIN_SECONDS, name):.1f} s")
        said = time.monotonic()
        yield since


async def a_workers_node(scene):
    """Return a node with a cable and a worker, and an ingress if there is such a node.

    The chart spreads: no two pods of a process are on one node.
    """
    by_node = await pods_by_node(scene)
    for name, pods in sorted(by_node.items()):
        scene.note(f"{name}: {', '.join(sorted(pods))}")
    for process in ("worker", "ingress", "console"):
        alone = [sum(f"-{process}-" in pod for pod in pods) for pods in by_node.values()]
        require(max(alone) == 1, f"each {process} is on a node of its own")
    kinds = {node: " ".join(by_node.get(node.machine.name, ())) for node in scene.cluster.nodes[1:]}
    with_worker = [node for node, pods in kinds.items() if "-worker-" in pods]
    return max(with_worker, key=lambda node: "-ingress-" in kinds[node])


def is_numbered(pod):
    """Whether the pod is of a StatefulSet."""
    return any(owner["kind"] == "StatefulSet" for owner in pod["metadata"]["ownerReferences"])


async def pods_by_node(scene):
    """Return the names of the pods that Kubernetes lists, by node."""
    found = {}
    for name, pod in (await scene.pods()).items():
        if "nodeName" in pod["spec"]:
            found.setdefault(pod["spec"]["nodeName"], set()).add(name)
    return found
