"""Starts the whole cluster: a control plane, nodes with the image, the servers beside them, kubectl and Helm."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.failures import StartFailed
from local.kubernetes import sandbox
from local.kubernetes.control_plane import ControlPlane
from local.kubernetes.deployment import Deployment
from local.kubernetes.machine import Machine
from local.kubernetes.node import Node
from local.kubernetes.paths import Artifacts
from local.kubernetes.servers import Servers
from local.kubernetes.tools import CommandFailed, Tools
from local.processes.run import Run
from local.scene.callers import write_callers
from local.scene.settings import READINGS

COLLATE_KEYS: Final = ("local-collate-key", "next-collate-key")
_NODE_WITHIN_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """The running cluster. `keys` are the API keys of the callers, by name."""

    control_plane: ControlPlane
    nodes: list[Node]
    tools: Tools
    servers: Servers
    deployment: Deployment
    keys: dict[str, str]
    directory: Path


@asynccontextmanager
async def kubernetes(
    programs: Path,
    artifacts: Sequence[Artifacts],
    report: Callable[[str], None],
    *,
    nodes: int = 1,
    addresses: Sequence[str] = (),
) -> AsyncIterator[Kubernetes]:
    """Start everything; stop it in order afterwards. Only inside the sandbox. Raises LocalError.

    Each node gets the images of all artifacts; the deployment installs the first ones.
    """
    with Run("k8s", sandbox.work_directory() / "tmp") as run:
        run.directory.chmod(0o711)
        plane = ControlPlane(run, programs, addresses)
        machines = [Machine(number) for number in range(1, nodes + 1)]
        # Before any pod runs: the mounts of a further machine begin as a copy of the sandbox's.
        for machine in machines:
            await asyncio.to_thread(machine.start, run)
        started = [Node(run, programs, plane.kubeconfig, machine) for machine in machines]
        servers_directory = run.directory / "servers"
        servers_directory.mkdir(mode=0o711)
        servers = Servers(servers_directory, COLLATE_KEYS, dict(READINGS))

        async def start_cluster() -> None:
            await asyncio.to_thread(plane.start)
            report("the API server is ready")
            for node in started:
                await asyncio.to_thread(node.start)

        async def load_images() -> None:
            archives = {artifact.archive for artifact in artifacts}
            async with asyncio.TaskGroup() as loads:
                for node in started:
                    loads.create_task(asyncio.to_thread(node.start_containers, archives))
            report("the images are loaded")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load_images())
            tasks.create_task(start_cluster())
            entering = tasks.create_task(servers.__aenter__())
            entering.add_done_callback(lambda _: report("Kafka, PostgreSQL and the simulated Collate are ready"))
        try:
            tools = Tools(programs, plane, run.directory)
            for node in started:
                await asyncio.to_thread(_await_node, tools, node.machine.name)
                await asyncio.to_thread(node.start_policies)
                report(f"{node.machine.name} is ready")
            keys = write_callers(run.directory / "callers.toml")
            callers = (run.directory / "callers.toml").read_text()
            deployment = Deployment(tools, servers, artifacts[0], callers, COLLATE_KEYS[0])
            yield Kubernetes(plane, started, tools, servers, deployment, keys, run.directory)
        finally:
            await servers.__aexit__(None, None, None)
            for machine in machines:
                await asyncio.to_thread(machine.stop)
            await asyncio.to_thread(_unmount, run.directory)


def _await_node(tools: Tools, name: str) -> None:
    deadline, seen = time.monotonic() + _NODE_WITHIN_SECONDS, ""
    while time.monotonic() < deadline:
        try:
            conditions = json.loads(tools.run("kubectl", "get", "node", name, "--output", "json"))["status"]
            ready = next(condition for condition in conditions.get("conditions", []) if condition["type"] == "Ready")
            if ready["status"] == "True":
                return
            seen = ready["message"]
        except (CommandFailed, StopIteration) as missing:
            seen = str(missing)
        time.sleep(0.5)
    raise StartFailed(f"{name} is not ready after {_NODE_WITHIN_SECONDS:.0f} s: {seen}")


def _unmount(directory: Path) -> None:
    """Unmount the pods' file systems. Their processes end with the sandbox, and would keep the directory until then."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    below = [mount for mount in mounts if mount.startswith(f"{directory}/")]
    if below:
        subprocess.run(["umount", "--lazy", *reversed(below)], check=False, capture_output=True)
