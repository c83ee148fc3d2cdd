"""The machine of a node: namespaces for its network, mounts and processes, and a cable to the first node's bridge."""

import subprocess
import time
from typing import Final

from local.failures import StartFailed
from local.kubernetes import sandbox
from local.kubernetes.inside import BRIDGE, address_of, name_of
from local.processes.run import Run

_CABLE: Final = "cable"
_STARTED_WITHIN_SECONDS: Final = 60.0


class Machine:
    """A node's machine. The first node has the sandbox's own namespaces, and the others' cables end at its bridge."""

    def __init__(self, number: int) -> None:
        self.name, self.address = name_of(number), address_of(number)
        self.enter: list[str] = []  # before a command: it runs on this machine
        self._number = number
        self._holder: subprocess.Popen[bytes] | None = None

    def start(self, run: Run) -> None:
        """Make the namespaces of a further node, and connect it. Raises StartFailed."""
        if self._number == 1:
            return
        log = run.directory / f"{self.name}.log"
        holder = self._holder = run.spawn(sandbox.node_command(self._number), log=log)
        deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
        while not (sandbox.work_directory() / self.name / sandbox.PREPARED).exists():
            if holder.poll() is not None or time.monotonic() > deadline:
                raise StartFailed(f"The namespaces of {self.name} were not made: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        (first,) = sandbox.children(holder.pid)
        self.enter = ["nsenter", "--target", first, "--mount", "--net", "--pid"]
        _run("ip", "link", "add", self.name, "type", "veth", "peer", "name", _CABLE, "netns", first)
        _run(*self.enter, "ip", "link", "set", _CABLE, "master", BRIDGE, "up")
        _run("ip", "link", "set", self.name, "up")
        self.plug()

    def plug(self) -> None:
        """Connect the node with the others."""
        _run("ip", "link", "set", self.name, "master", BRIDGE)

    def unplug(self) -> None:
        """Cut the node off: nothing that it sends arrives, nor what others send to it. Its processes run on."""
        _run("ip", "link", "set", self.name, "nomaster")

    def lose(self) -> None:
        """End all processes of the node at once, as a loss of power does."""
        self.unplug()
        self.stop()

    def stop(self) -> None:
        """End all processes of a further node. The kernel does it when their first one ends."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
