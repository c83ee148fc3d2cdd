"""The cases, in the order in which they run on one cluster. A docstring is the first line of the transcript."""

import asyncio
import contextlib
import signal
from pathlib import Path

from helm_python import HelmError

from local.kubernetes.tools import CommandFailed
from tests.cluster.scene import CaseFailed, row_of

IMAGE = "localhost/collate-gateway"
AWAY_SECONDS = 300
PROCESSES = ("ingress", "worker", "projector", "console")


def require(is_true, what):
    if not is_true:
        raise CaseFailed(what)


async def install(scene):
    """`helm test` passes after an installation from nothing, and callers get through the Service."""
    scene.note((await scene.kubectl("get", "pods,jobs,services,networkpolicies,poddisruptionbudgets")).strip())
    scene.note("$ helm test gateway --logs")
    scene.note((await asyncio.to_thread(scene.deployment.test)).strip())
    await asyncio.sleep(15)
    require(scene.callers.ended, "a command ended")


async def security(scene):
    """The running processes are confined: user, root, token, seccomp, capabilities."""
    await require_confined(scene, "10001")


async def arbitrary_user(scene):
    """As on OpenShift, the pods run as a user that the image does not know, in group 0; then as before."""
    await scene.upgrade({"podSecurityContext": {"runAsUser": 1000670000, "runAsGroup": 0}})
    await scene.until_ready(240, 7)
    await require_confined(scene, "1000670000")
    await scene.upgrade()
    await scene.until_ready(240, 7)


async def require_confined(scene, user):
    found = await asyncio.to_thread(running_processes)
    require(found.keys() == set(PROCESSES), f"all processes are found: {sorted(found)}")
    for name, seen in sorted(found.items()):
        scene.note(f"{name}: {', '.join(f'{what} {value}' for what, value in seen.items())}")
        expected = {"uid": user, "seccomp": "2", "capabilities": "0" * 16, "no new privileges": "1", "root": "ro"}
        require(seen == expected | {"service account token": False}, f"{name}: {seen}")


def running_processes():
    """Return what the kernel says of each process of the gateway in a pod."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            command = (status.parent / "cmdline").read_bytes().decode().split("\0")
            name = next((one for one in PROCESSES if one in command[1:4]), None)
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
            if name is None or "/opt/gateway/bin" not in " ".join(command[:2]):
                continue
            mounts = [line.split() for line in (status.parent / "mountinfo").read_text().splitlines()]
            found[name] = {
                "uid": fields["Uid"].split()[0],
                "seccomp": fields["Seccomp"].strip(),
                "capabilities": fields["CapEff"].strip(),
                "no new privileges": fields["NoNewPrivs"].strip(),
                "root": next(mount[5] for mount in mounts if mount[4] == "/").split(",")[0],
                "service account token": any("serviceaccount" in mount[4] for mount in mounts),
            }
    return found


async def rolling_upgrade(scene):
    """A rolling upgrade to another image, and `helm rollback` to the first."""
    node = scene.cluster.node
    await asyncio.to_thread(node._ctr, "images", "tag", f"{IMAGE}:0.1.0", f"{IMAGE}:next")
    before = scene.callers.responses.copy()
    await scene.upgrade({"image": {"tag": "next"}})
    await scene.until_ready(240, 7)
    images = {pod["spec"]["containers"][0]["image"] for pod in (await scene.pods()).values()}
    require(images == {f"{IMAGE}:next"}, f"all pods have the new image: {images}")
    scene.note("every pod runs the new image")
    scene.note("$ helm rollback gateway --wait")
    await asyncio.to_thread(scene.deployment.roll_back)
    await scene.until_ready(240, 7)
    images = {pod["spec"]["containers"][0]["image"] for pod in (await scene.pods()).values()}
    require(images == {f"{IMAGE}:0.1.0"}, f"all pods have the first image: {images}")
    scene.note("every pod runs the first image")
    other = {what: n for what, n in (scene.callers.responses - before).items() if what not in {200, 201, 202, 503}}
    scene.note(f"responses and errors other than 2xx and 503: {other or 'none'}")


async def pod_killed(scene):
    """A worker is deleted with --force, then an ingress; the StatefulSet and the Deployment replace them."""
    await scene.kubectl("delete", "pod", "gateway-worker-0", "--force", "--grace-period=0")
    scene.note(f"ready again after {await scene.until_ready(180, 7):.1f} s")
    name = next(one for one in await scene.pods() if "ingress" in one)
    await scene.kubectl("delete", "pod", name, "--force", "--grace-period=0")
    scene.note(f"ready again after {await scene.until_ready(180, 7):.1f} s")


async def node_drained(scene):
    """The only node is drained: the budgets keep one worker and one ingress. Then it is uncordoned."""
    try:
        await scene.kubectl(
            "drain", "node1", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"
        )
        raise CaseFailed("the budgets did not stop the drain")
    except CommandFailed as stopped:
        scene.note(str(stopped)[-300:].strip())
    ready = [row[0] for row in map(row_of, (await scene.pods()).values()) if row[1] == "1/1"]
    scene.note(f"ready while the node is cordoned: {sorted(ready)}")
    for process in ("ingress", "worker", "console"):
        require(any(process in name for name in ready), f"one {process} is ready")
    await scene.kubectl("uncordon", "node1")
    scene.note(f"ready again after {await scene.until_ready(240, 7):.1f} s")


async def workers_scaled(scene):
    """Workers are scaled from 2 to 4 and back."""
    for replicas in (4, 2):
        await scene.kubectl("scale", "statefulset/gateway-worker", f"--replicas={replicas}")
        scene.note(f"{replicas} workers are ready after {await scene.until_ready(240, 5 + replicas):.1f} s")
        await asyncio.sleep(10)
        if replicas == 4:
            await upgrade_after_scale(scene)


async def upgrade_after_scale(scene):
    """Helm 4 must not take back what `kubectl scale` has changed, unless it is forced (docs/upgrade.md)."""
    try:
        await scene.upgrade()
        raise CaseFailed("Helm saw no conflict")
    except HelmError as conflict:
        scene.note(f"Helm: {str(conflict)[:300]}")
        require(".spec.replicas" in str(conflict), "the conflict is about the replicas")


async def memory_limit(scene):
    """A worker's memory limit is too low: Kubernetes kills it, the other one continues. Then it is corrected."""
    too_low = {"worker": {"resources": {"requests": {"memory": "48Mi"}, "limits": {"memory": "48Mi"}}}}
    scene.note("$ helm upgrade gateway helm/gateway --wait --timeout 90s  # with worker.resources.limits.memory=48Mi")
    try:
        await asyncio.to_thread(lambda: scene.deployment.install(too_low, seconds=90))
        raise CaseFailed("the upgrade did not fail")
    except HelmError as failed:
        scene.note(f"Helm: {str(failed)[:300]}")
    pods = await scene.pods()
    require("OOMKilled" in str([pod["status"] for pod in pods.values()]), "a worker was killed for its memory")
    require(row_of(pods["gateway-worker-0"])[1] == "1/1", "the other worker runs")
    await scene.upgrade()
    scene.note(f"ready again after {await scene.until_ready(240, 7):.1f} s")


async def kafka_away(scene):
    """Kafka is away for five minutes: no probe restarts a pod."""
    before = await scene.restarts()
    broker = scene.cluster.servers.kafka
    await asyncio.to_thread(broker.kill, 0, signal.SIGKILL)
    scene.note("Kafka is killed")
    await asyncio.sleep(AWAY_SECONDS)
    scene.note(f"restarts: {await scene.restarts() - before}")
    require(await scene.restarts() == before, "no pod was restarted")
    await asyncio.to_thread(broker.start, 0)
    scene.note("Kafka is back")
    scene.note(f"ready again after {await scene.until_ready(180):.1f} s")


async def database_away(scene):
    """PostgreSQL is away for a minute: no probe restarts a pod, reads get 503, commands go on."""
    before, database = await scene.restarts(), scene.cluster.servers.database
    path = f"/v1/authorizations/{scene.callers.authorizations[0]}"
    require((await scene.get(path)).status_code == 200, "a read works before")
    await asyncio.to_thread(database.kill)
    scene.note("PostgreSQL is killed")
    ended = len(scene.callers.ended)
    await asyncio.sleep(20)
    response = await scene.get(path)
    scene.note(f"a read: {response.status_code}; commands ended meanwhile: {len(scene.callers.ended) - ended}")
    require(response.status_code == 503, f"a read gets 503, not {response.status_code}")
    require(len(scene.callers.ended) > ended, "commands go on")
    await asyncio.sleep(40)
    require(await scene.restarts() == before, "no pod was restarted")
    await asyncio.to_thread(database.start)
    scene.note("PostgreSQL is back")

    async def reads():
        return (await scene.get(path)).status_code == 200

    scene.note(f"a read works after {await scene.until(reads, 60, 'a read works'):.1f} s")


async def secret_rotated(scene):
    """Collate's API key and the callers file are replaced in the Secret: taken up without a restart."""
    before = {name: pod["metadata"]["uid"] for name, pod in (await scene.pods()).items()}
    await asyncio.to_thread(scene.deployment.change_secret, "gateway-secrets", {"collate-api-key": "next-collate-key"})
    scene.note("the Secret has Collate's next key")

    async def is_read():
        logs = [await scene.kubectl("logs", name, "--tail=-1", show=False) for name in before if "worker" in name]
        return all("collate.key_read" in log for log in logs)

    scene.note(f"all workers have read it after {await scene.until(is_read, 150, 'collate.key_read'):.1f} s")
    callers = "\n".join(scene.deployment.callers.replace('name = "billing"', 'name = "renamed"').splitlines())
    await asyncio.to_thread(scene.deployment.change_secret, "gateway-secrets", {"callers.toml": callers})
    scene.note("the Secret has another callers file")

    async def is_renamed():
        logs = [await scene.kubectl("logs", name, "--tail=400", show=False) for name in before if "ingress" in name]
        return all("callers" in log and "read" in log for log in logs)

    scene.note(f"ingress has read it after {await scene.until(is_renamed, 150, 'the callers file'):.1f} s")
    after = {name: pod["metadata"]["uid"] for name, pod in (await scene.pods()).items()}
    require(before == after and await scene.restarts() == 0, "no pod was replaced or restarted")


async def uninstalled(scene):
    """`helm uninstall` removes the chart's objects; Secrets, topics and tables stay for a new installation."""
    scene.callers.pause()
    scene.note("$ helm uninstall gateway --wait")
    await asyncio.to_thread(scene.deployment.uninstall)
    left = (
        await scene.kubectl("get", "all,configmaps,secrets,networkpolicies,poddisruptionbudgets,serviceaccounts")
    ).strip()
    scene.note(left)
    require("gateway-ingress" not in left, "no object of the chart is left")
    await scene.upgrade()
    scene.note(f"installed again; ready after {await scene.until_ready(180):.1f} s")
    address = await asyncio.to_thread(scene.tools.service_address, "gateway-ingress")
    scene.callers._urls[:] = [f"http://{address}"]
    scene.callers.resume()
    await asyncio.sleep(10)


CASES = {
    "install": install,
    "security": security,
    "arbitrary-user": arbitrary_user,
    "rolling-upgrade": rolling_upgrade,
    "pod-killed": pod_killed,
    "node-drained": node_drained,
    "workers-scaled": workers_scaled,
    "database-away": database_away,
    "secret-rotated": secret_rotated,
    "memory-limit": memory_limit,
    "uninstalled": uninstalled,
    "kafka-away": kafka_away,
}
