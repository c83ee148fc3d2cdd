"""Cases that replace, kill, move and count pods."""

import asyncio
import re
import shutil
import tempfile
from pathlib import Path

from local.kubernetes.tools import CommandFailed
from tests.cluster.scene import CaseFailed, require, row_of

NEW_OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: gateway-new\n"
WORKERS = {"gateway-worker-0", "gateway-worker-1"}
# docs/upgrade.md: a worker releases its partitions within 20 s of SIGTERM. docs/operations.md: the partitions of a
# killed worker move after the session timeout, 10 s. Then the next owner restores them.
RELEASED_SECONDS, SESSION_SECONDS, RESTORED_SECONDS = 20, 10, 5
# Until kube-proxy knows that a killed pod is gone, new connections go there.
ROUTED_AWAY_SECONDS = 5


async def rolling_upgrade(scene):
    """A rolling upgrade to the later build, and `helm rollback` to the first."""
    first, _ = (await scene.revisions())[-1]
    before = await scene.members()
    require(before == WORKERS, f"the workers have static ids: {sorted(before)}")
    async with scene.undisturbed(), scene.owned(RELEASED_SECONDS + SESSION_SECONDS + RESTORED_SECONDS):
        await scene.upgrade_to_later()
        await require_image(scene, scene.later.tag)
        scene.note("every pod runs the later image")
        await scene.roll_back(first)
        await require_image(scene, scene.first.tag)
        scene.note("every pod runs the first image")
    scene.note(f"the fewest ready pods at any time: {scene.least_ready}")
    require(scene.least_ready["ingress"] >= 2, "maxUnavailable of ingress is 0")
    require(scene.least_ready["worker"] >= 1, "one worker at a time is replaced")
    require(scene.least_ready["console"] >= 1, "one console stays")
    after = await scene.members()
    require(after == before, f"the workers keep their static ids: {sorted(after)}")
    scene.note(f"static ids before and after: {', '.join(sorted(after))}")


async def require_image(scene, tag, of_ingress=None):
    await scene.until_ready()
    images = {name: pod["spec"]["containers"][0]["image"] for name, pod in (await scene.pods()).items()}
    tags = {name: (of_ingress or tag) if "-ingress-" in name else tag for name in images}
    wrong = {name: one for name, one in images.items() if one.rpartition(":")[2] != tags[name]}
    require(not wrong, f"every pod has its image: {wrong}")


async def two_steps_rolled_back(scene):
    """An upgrade in two steps, and its roll-back in two: ingress first, then the other processes."""
    first, _ = (await scene.revisions())[-1]
    old, new = scene.first.tag, scene.later.tag
    async with scene.undisturbed(), scene.owned(RELEASED_SECONDS + SESSION_SECONDS + RESTORED_SECONDS):
        await scene.upgrade_to_later({"ingress": {"imageTag": old}})
        await require_image(scene, new, of_ingress=old)
        await scene.upgrade_to_later()
        await require_image(scene, new)
        await scene.roll_back(first + 1)
        await require_image(scene, new, of_ingress=old)
        await scene.roll_back(first)
        await require_image(scene, old)
    require([one for one, _ in await scene.revisions()][-1] == first + 4, "each command made one revision")


async def failed_upgrade_rolled_back(scene):
    """An upgrade to an image that does not exist fails in the middle, and is rolled back."""
    first, _ = (await scene.revisions())[-1]
    async with scene.undisturbed():
        await scene.fails_to_upgrade({"image": {"tag": "absent"}}, seconds=90)
        require((await scene.revisions())[-1] == (first + 1, "failed"), "the last revision has failed")
        await scene.roll_back(first)
        await require_image(scene, scene.first.tag)


async def other_chart_rolled_back(scene):
    """An upgrade with another version of the chart, which has one more object, is rolled back."""
    first, _ = (await scene.revisions())[-1]
    before = await scene.charts()
    with tempfile.TemporaryDirectory() as directory:
        chart = Path(shutil.copytree(scene.first.chart, Path(directory) / "gateway"))
        described = chart / "Chart.yaml"
        described.write_text(re.sub(r"(?m)^version: .*", "version: 99.0.0", described.read_text()))
        (chart / "templates" / "new.yaml").write_text(NEW_OBJECT)
        async with scene.undisturbed():
            await scene.upgrade(chart=chart)
            # Helm does not wait for the end of the last old pod.
            await scene.until_ready()
            require(await scene.charts() == {"gateway-99.0.0"}, "every pod is of the new chart")
            require("gateway-new" in await scene.kubectl("get", "configmaps"), "the new chart's object is there")
            await scene.roll_back(first)
            await scene.until_ready()
    require(await scene.charts() == before, f"every pod is of the first chart: {before}")
    require("gateway-new" not in await scene.kubectl("get", "configmaps"), "the new chart's object is gone")


async def pod_killed(scene):
    """A worker is deleted with --force, then an ingress; the StatefulSet and the Deployment replace them."""
    async with scene.undisturbed(), scene.owned(SESSION_SECONDS + RESTORED_SECONDS):
        await scene.kubectl("delete", "pod", "gateway-worker-0", "--force", "--grace-period=0")
        scene.note(f"ready again after {await scene.until_ready():.1f} s")
    require(await scene.members() == WORKERS, "the workers keep their static ids")
    name = next(one for one in await scene.pods() if "ingress" in one)
    killed = asyncio.get_running_loop().time()
    async with scene.undisturbed(but_for=lambda seen: seen.at < killed + ROUTED_AWAY_SECONDS):
        await scene.kubectl("delete", "pod", name, "--force", "--grace-period=0")
        scene.note(f"ready again after {await scene.until_ready():.1f} s")


async def node_drained(scene):
    """The only node is drained: the budgets keep one worker and one ingress. Then it is uncordoned."""
    async with scene.undisturbed():
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
        scene.note(f"ready again after {await scene.until_ready():.1f} s")


async def workers_scaled(scene):
    """Workers are scaled from 2 to 4 and back."""
    async with scene.undisturbed():
        for replicas in (4, 2):
            async with scene.owned(RELEASED_SECONDS + SESSION_SECONDS + RESTORED_SECONDS):
                await scene.kubectl("scale", "statefulset/gateway-worker", f"--replicas={replicas}")
                scene.note(f"{replicas} workers are ready after {await scene.until_ready():.1f} s")
                await asyncio.sleep(10)
            if replicas == 4:
                await scene.meets_changed_replicas()


async def memory_limit(scene):
    """A worker's memory limit is too low: Kubernetes kills it, the other one continues. Then it is corrected."""
    too_low = {"worker": {"resources": {"requests": {"memory": "48Mi"}, "limits": {"memory": "48Mi"}}}}
    async with scene.undisturbed():
        await scene.fails_to_upgrade(too_low, seconds=90)
        pods = await scene.pods()
        require("OOMKilled" in str([pod["status"] for pod in pods.values()]), "a worker was killed for its memory")
        require(row_of(pods["gateway-worker-0"])[1] == "1/1", "the other worker runs")
        await scene.upgrade()
        scene.note(f"ready again after {await scene.until_ready():.1f} s")
