"""Cases that replace secrets: each is taken up without a restart, in the time that docs/operations.md says."""

import asyncio
import contextlib
import re
import secrets

import httpx

from local.installation import new_caller
from local.kafka.administrator import administrator
from local.kafka.secured import Authority
from local.kubernetes.cluster import COLLATE_KEYS
from local.kubernetes.servers import USERS
from tests.cluster.scene import require

# docs/operations.md: a mounted Secret takes up to a minute and a half to reach the file. A process looks at it at its
# next call, at most once a second, and this program looks at each pod in turn.
MOUNTED_WITHIN_SECONDS = 90 + 5
READY_WITHIN_SECONDS = 120
# A process reads the first key when it first calls Collate.
READ_AGAIN = re.compile(r'^(?=.*collate\.key_read).*"first": ?false', re.MULTILINE)
PASSWORD, AUTHORITIES = "/etc/gateway/kafka/password", "/etc/gateway/kafka/ca.crt"
HTTP_PORT = 8080


@contextlib.asynccontextmanager
async def no_restart(scene):
    """Require that the pods are the same ones, and none was restarted."""
    before, restarts = await identities(scene), await scene.restarts()
    yield
    require(before == await identities(scene), "no pod was replaced")
    require(await scene.restarts() == restarts, "no pod was restarted")


async def identities(scene):
    return {name: pod["metadata"]["uid"] for name, pod in (await scene.pods()).items()}


async def until_mounted(scene, file, contents):
    """Wait until the files in the pods have their new content; `contents` is by process."""
    pods = {name: text for name in await scene.pods() for process, text in contents.items() if f"-{process}-" in name}

    async def are_there():
        return all([await scene.execute(name, "cat", file) == text for name, text in pods.items()])

    seconds = await scene.until(are_there, MOUNTED_WITHIN_SECONDS, f"the new {file} in {', '.join(pods)}")
    scene.note(f"{file} has changed in {len(pods)} pods after {seconds:.1f} s")


async def secret_rotated(scene):
    """Collate's API key and the callers file are replaced in the Secret: taken up without a restart."""
    old_key, new_key = COLLATE_KEYS
    async with no_restart(scene), scene.undisturbed():
        await call_collate_from_each_ingress(scene)
        await change(scene, "gateway-secrets", {"collate-api-key": new_key})

        async def is_read():
            await call_collate_from_each_ingress(scene)
            names = [name for name in await scene.pods() if "-worker-" in name or "-ingress-" in name]
            logs = [await scene.kubectl("logs", name, "--tail=-1", show=False) for name in names]
            return all(READ_AGAIN.search(log) for log in logs)

        seconds = await scene.until(is_read, MOUNTED_WITHIN_SECONDS, "the log event collate.key_read")
        scene.note(f"workers and ingress have read Collate's next key after {seconds:.1f} s")
        scene.servers.collate.revoke_keys([old_key])
        scene.note("Collate refuses the first key")
        await call_collate_from_each_ingress(scene)
        key, entry = new_caller("reporting", ["authorization:read"])
        await change(scene, "gateway-secrets", {"callers.toml": scene.deployment.callers + entry})
        await until_status(scene, key, 200, "accepts the added caller")
        await change(scene, "gateway-secrets", {"callers.toml": scene.deployment.callers})
        await until_status(scene, key, 401, "refuses the removed caller")
        await scene.commands_go_on()


async def kafka_password_rotated(scene):
    """Kafka's passwords change in the Secrets and at the broker; new connections use them, and no pod restarts."""
    broker, users = scene.servers.kafka, [user for user in USERS if user != "topics"]
    passwords = {user: secrets.token_urlsafe(24) for user in users}
    async with no_restart(scene):
        async with scene.undisturbed(), administrator(scene.servers.bootstrap) as kafka:
            for user in users:
                await kafka.set_password(f"gateway-{user}", passwords[user])
            scene.note("the broker has the new passwords and refuses the old ones; open connections stay")
            for user in users:
                await change(scene, f"kafka-gateway-{user}", {"password": passwords[user]})
            await until_mounted(scene, PASSWORD, passwords)
        await restart_broker(scene, broker)
        await scene.commands_go_on()


async def kafka_authority_rotated(scene):
    """Kafka gets a certificate of a new authority: pods trust both first, then the new one alone; none restarts."""
    broker, processes = scene.servers.kafka, ("ingress", "worker", "projector", "deliverer")
    directory = broker.ca_file.parent
    old, authority = broker.ca_file.read_text(), Authority("next broker authority")
    new = authority.write(directory / "next.pem").read_text()
    async with no_restart(scene):
        async with scene.undisturbed():
            await change(scene, "kafka-cluster-ca", {"ca.crt": old + new})
            await until_mounted(scene, AUTHORITIES, dict.fromkeys(processes, old + new))
        await asyncio.to_thread(broker.replace_certificate, authority)
        await restart_broker(scene, broker)
        async with scene.undisturbed():
            await change(scene, "kafka-cluster-ca", {"ca.crt": new})
            await until_mounted(scene, AUTHORITIES, dict.fromkeys(processes, new))
        await restart_broker(scene, broker)
        await scene.commands_go_on()


async def restart_broker(scene, broker):
    """Restart the broker, so that every client logs in again."""
    await asyncio.to_thread(broker.stop, 0)
    await asyncio.to_thread(broker.start, 0)
    scene.note("the broker is restarted: every client connects again")
    await asyncio.sleep(2)
    scene.note(f"every pod is ready after {await scene.until_ready(READY_WITHIN_SECONDS):.1f} s")


async def change(scene, name, content):
    scene.note(f"$ kubectl patch secret {name}  # {', '.join(content)}")
    await asyncio.to_thread(scene.deployment.change_secret, name, content)


async def call_collate_from_each_ingress(scene):
    """Let each pod of ingress ask Collate for an authorization that does not exist: a call reads the key's file."""
    headers = {"Authorization": f"Bearer {scene.cluster.keys['scheduling']}"}
    async with httpx.AsyncClient(timeout=12, trust_env=False, headers=headers) as http:
        for address in await ingress_addresses(scene):
            answer = await http.get(f"http://{address}:{HTTP_PORT}/v1/authorizations/no_such/handoffs/active")
            require(answer.status_code == 404, f"Collate knows no such authorization: {answer.text}")


async def ingress_addresses(scene):
    return [pod["status"]["podIP"] for name, pod in (await scene.pods()).items() if "-ingress-" in name]


async def until_status(scene, key, status, what):
    """Wait until each pod of ingress answers a caller with a status."""
    addresses = await ingress_addresses(scene)

    async def do_all():
        async with httpx.AsyncClient(timeout=5, trust_env=False, headers={"Authorization": f"Bearer {key}"}) as http:
            responses = [await http.get(f"http://{address}:{HTTP_PORT}/v1/me") for address in addresses]
        return {one.status_code for one in responses} == {status}

    seconds = await scene.until(do_all, MOUNTED_WITHIN_SECONDS, f"every ingress {what}")
    scene.note(f"every ingress {what} after {seconds:.1f} s")
