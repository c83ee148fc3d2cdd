"""The case of NetworkPolicies: connections that a policy allows, and those that it does not, tried from pods."""

import asyncio
import json

from local.kubernetes.inside import NODE_ADDRESS
from tests.cluster.scene import require

ALLOWED, STRANGER = "caller", "stranger"
OPENED, BLOCKED = "open", "blocked"
ENFORCED_WITHIN_SECONDS = 60
TRY = """import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3).close()
    print("open", end="")
except OSError:
    print("blocked", end="")
"""


async def networks(scene):
    """The policies are enforced: a pod that may not connect cannot, and one that may can."""
    for name in (ALLOWED, STRANGER):
        await asyncio.to_thread(scene.tools.kubectl, "create", "--filename", "-", stdin=json.dumps(pod_of(scene, name)))
    try:
        await scene.kubectl("wait", "--for=condition=Ready", "--timeout=120s", f"pod/{ALLOWED}", f"pod/{STRANGER}")
        async with scene.undisturbed():
            await try_connections(scene)
    finally:
        await scene.kubectl("delete", "pod", ALLOWED, STRANGER, "--grace-period=1")
        await scene.upgrade()
        await scene.until_ready()


async def try_connections(scene):
    """Try connections before and after the values name peers."""
    peers = [{"podSelector": {"matchLabels": {"role": ALLOWED}}}]
    services = {process: f"gateway-{process}" for process in ("ingress", "console")}
    addresses = {name: await asyncio.to_thread(scene.tools.service_address, to) for name, to in services.items()}
    pods = await scene.pods()
    worker = pods["gateway-worker-0"]["status"]["podIP"]
    for name in (ALLOWED, STRANGER):
        require(await tried(scene, name, addresses["ingress"], 80) == OPENED, "without peers every pod may call")
    scene.note("without peers in networkPolicy.callers, each pod may call")
    await scene.upgrade({"networkPolicy": {"callers": peers, "browsers": peers, "monitoring": peers}})
    expected = {
        **{(ALLOWED, name, address, 80): OPENED for name, address in addresses.items()},
        **{(STRANGER, name, address, 80): BLOCKED for name, address in addresses.items()},
        (ALLOWED, "a worker's admin port", worker, 9090): OPENED,
        (STRANGER, "a worker's admin port", worker, 9090): BLOCKED,
    }
    console = next(name for name in pods if "-console-" in name)
    broker, receiver = scene.servers.kafka.ports["SASL_SSL"], scene.servers.receiver.port
    for process, port, what, result in (
        (console, broker, "Kafka", BLOCKED),
        (console, 5432, "PostgreSQL", BLOCKED),
        ("gateway-worker-0", broker, "Kafka", OPENED),
        ("gateway-worker-0", 5432, "PostgreSQL", BLOCKED),
        ("gateway-worker-0", receiver, "the receiver of webhooks", BLOCKED),
        ("gateway-deliverer-0", receiver, "the receiver of webhooks", OPENED),
        ("gateway-deliverer-0", 6443, "the API server", BLOCKED),
    ):
        expected[(process, what, NODE_ADDRESS, port)] = result
    seen = {}

    async def are_as_expected():
        seen.update({key: await tried(scene, key[0], *key[2:]) for key in expected if seen.get(key) != expected[key]})
        return seen == expected

    try:
        seconds = await scene.until(are_as_expected, ENFORCED_WITHIN_SECONDS, "connections as the policies say")
        scene.note(f"enforced after {seconds:.1f} s")
    finally:
        for (source, what, _, port), result in seen.items():
            scene.note(f"{source:<40} -> {what}, port {port}: {result}")


async def tried(scene, pod, address, port):
    return await scene.execute(pod, "python", "-c", TRY, address, str(port))


def pod_of(scene, name):
    """Return a pod of the gateway's image that waits, as Pod Security `restricted` allows it."""
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"role": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "python",
                    "image": scene.deployment.image,
                    "imagePullPolicy": "Never",
                    "command": ["python", "-c", "import signal; signal.pause()"],
                    "securityContext": confined,
                }
            ],
        },
    }
