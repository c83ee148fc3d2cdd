"""Cases about a whole installation: from nothing, the demo's story, what confines its processes, and its end."""

import asyncio
import contextlib
from pathlib import Path

import httpx

from collate_gateway_client import AsyncGateway, completed
from tests.cluster.scene import PROCESSES, require

OPERATOR = "jo.miller"
OF_THE_NAMESPACE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
NO_CAPABILITIES = "0" * 16


async def install(scene):
    """`helm test` passes after an installation from nothing, and callers get through the Service."""
    scene.note((await scene.kubectl("get", "pods,jobs,services,networkpolicies,poddisruptionbudgets")).strip())
    scene.note("$ helm test gateway --logs")
    scene.note((await asyncio.to_thread(scene.deployment.test)).strip())
    scene.note((await scene.kubectl("exec", "gateway-worker-0", "--", "gateway", "check", "--for", "worker")).strip())
    async with scene.undisturbed():
        await asyncio.sleep(15)
    require(scene.callers.ended, "a command ended")


async def story(scene):
    """The story of `make demo` through the Service: request, link, close, and the payer's truth."""
    sim = scene.servers.collate
    (authorization,) = sim.create(review_backed=True)
    async with httpx.AsyncClient(timeout=12, trust_env=False) as http:
        service = AsyncGateway(scene.url, scene.cluster.keys["scheduling"], http=http)
        await service.watch(authorization)
        await scene.is_published("authorization.action_required")
        scene.note("the authorization is watched, and an action is required")
        snapshot = (await service.review_snapshot(authorization))["reviewSnapshot"]["id"]
        accepted = await service.request_handoff(
            authorization, accepted_review_snapshot_id=snapshot, accepted_by="op-7"
        )
        finished = await scene.is_published("command.finished", commandId=accepted["commandId"], outcome="applied")
        handoff = finished.data["handoffId"]
        await scene.is_published("handoff.opened", handoffId=handoff)
        scene.note(f"the handoff {handoff} is open")
        await link_is_used(scene, http, authorization)
        accepted = await service.close_handoff(authorization, handoff, completed("submitted"))
        await scene.is_published("handoff.closed", handoffId=handoff, reported="submitted")
        await scene.is_published("command.finished", commandId=accepted["commandId"], outcome="applied")
        scene.note("the handoff is closed with the report `submitted`")
        await scene.is_published("handoff.reconciled", handoffId=handoff, agreement="agrees")
        sim.act(authorization, "payer", truth="approved")
        await service.watch(authorization)
        await scene.is_published("authorization.settled", handoffId=handoff, agreement="agrees")
        scene.note("the payer has approved; the report agrees with the payer's truth")

    async def is_shown():
        response = await scene.get(f"/v1/authorizations/{authorization}")
        return response.status_code == 200 and response.json()["outcome"] == "approved"

    await scene.until(is_shown, 30, "the read model shows the truth")
    scene.note(f"GET /v1/authorizations/{authorization} shows it too")


async def link_is_used(scene, http, authorization):
    """Get a link into the payer's session, and submit behind it."""
    path = f"{scene.url}/v1/authorizations/{authorization}/handoffs/active/access-grants"
    headers = {"Authorization": f"Bearer {scene.cluster.keys['scheduling']}"}
    granted = await http.post(path, headers=headers, json={"operator": OPERATOR})
    require(granted.status_code == 201, f"a link is granted: {granted.status_code} {granted.text}")
    # The judge knows the links that the load got; this one is of the case.
    scene.callers.granted.add(OPERATOR)
    await scene.is_published("handoff.access_granted", operator=OPERATOR)
    (await http.post(granted.json()["url"], json={"did": "submitted"})).raise_for_status()
    scene.note("an operator has a link, and submits behind it")


async def security(scene):
    """The running processes are confined: user, root, token, seccomp, capabilities."""
    await require_confined(scene, "10001")


async def arbitrary_user(scene):
    """As on OpenShift, the pods run as a user that the image does not know, in group 0; then as before."""
    async with scene.undisturbed():
        await scene.upgrade({"podSecurityContext": {"runAsUser": 1000670000, "runAsGroup": 0}})
        await scene.until_ready()
        await require_confined(scene, "1000670000")
        await scene.upgrade()
        await scene.until_ready()


async def require_confined(scene, user):
    found = await asyncio.to_thread(running_processes)
    require(found.keys() == set(PROCESSES), f"all processes are found: {sorted(found)}")
    for name, seen in sorted(found.items()):
        scene.note(f"{name}: {', '.join(f'{what} {value}' for what, value in seen.items())}")
        expected = {"uid": user, "seccomp": "2", "capabilities": NO_CAPABILITIES, "no new privileges": "1"}
        require(seen == expected | {"root": "ro", "service account token": False}, f"{name}: {seen}")


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


async def uninstalled(scene):
    """`helm uninstall` removes the chart's objects; Secrets, topics and tables stay for a new installation."""
    scene.callers.pause()
    scene.note("$ helm uninstall gateway --wait")
    await asyncio.to_thread(scene.deployment.uninstall)

    async def are_gone():
        return not await scene.pods()

    scene.note(f"the last pod has ended after {await scene.until(are_gone, 60, 'the end of every pod'):.1f} s")
    left = (
        await scene.kubectl("get", "all,configmaps,secrets,networkpolicies,poddisruptionbudgets,serviceaccounts")
    ).strip()
    scene.note(left)
    objects = [line.split()[0] for line in left.splitlines() if line and not line.startswith("NAME")]
    of_the_chart = [one for one in objects if not one.startswith("secret/") and one not in OF_THE_NAMESPACE]
    require(not of_the_chart, f"no object of the chart is left: {of_the_chart}")
    require(any(one.startswith("secret/") for one in objects), "the Secrets are left")
    await scene.upgrade()
    scene.note(f"installed again; ready after {await scene.until_ready():.1f} s")
    await asyncio.to_thread(scene.find_service)
    scene.callers.resume()
    await asyncio.sleep(10)
