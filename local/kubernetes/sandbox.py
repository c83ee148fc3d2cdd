"""Runs a program of this repository in namespaces of its own, and removes what is left of it afterwards.

The kernel ends all processes of a process namespace when its first one ends, also those of the namespaces within.
Mounts, the bridge and iptables rules are in namespaces too. So only directories and control groups are left, and this
process removes them.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
WORK: Final = "COLLATE_GATEWAY_CLUSTER_WORK"
PREPARED: Final = "prepared"  # in the directory of a node: its namespaces can be used
# Places with fixed names that a node writes to; every Linux has them. Inside, each is a directory of the node.
PRIVATE: Final = ("/run", "/var/lib", "/var/log")
# A kubelet sets these. Inside, they are files that have the values already, so the machine's own do not change.
KERNEL: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# All pods are in one group, which the kernel would give as much processor time as one process beside it. On a machine
# with other work, the pods would starve. So the group counts as ten processes.
SHARES: Final = {"cpu.shares": "10240", "cpu.weight": "1000"}
# The machine reaches the node over a pair of interfaces, and there is no other way in. One cluster at a time has it.
OUTSIDE_ADDRESS: Final = "10.243.0.1"
INSIDE_ADDRESS: Final = "10.243.0.2"
_OUTSIDE_NAME, _INSIDE_NAME = "cg-node", "cg-machine"
_REMOVED_WITHIN_SECONDS: Final = 20.0
_STARTED_WITHIN_SECONDS: Final = 10.0


def run(module: str, arguments: Sequence[str]) -> int:
    """Run `python -m module` in the sandbox until it ends; return its exit code."""
    with _directories() as work, _control_groups(work.name):
        child = subprocess.Popen(
            node_command(1, module, *arguments),
            env=os.environ | {WORK: str(work), "TMPDIR": str(work / "tmp")},
            # Ctrl-C must reach only the inner program, which then stops in order.
            process_group=0,
        )
        before = {sig: signal.signal(sig, lambda *_: _end_inner(child.pid)) for sig in _SIGNALS}
        is_connected = False
        try:
            is_connected = _connect(child)
            return child.wait()
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)
            child.kill()
            child.wait()
            if is_connected:
                # The kernel removes it some time after the namespace; the next cluster must not find it.
                subprocess.run(["ip", "link", "delete", _OUTSIDE_NAME], check=False, stderr=subprocess.DEVNULL)


def node_command(number: int, *module: str) -> list[str]:
    """Return the command that runs a module, or only waits, as the first process in the namespaces of a node."""
    namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
    return ["unshare", *namespaces, sys.executable, "-m", "local.kubernetes.inside", str(number), *module]


def _connect(child: subprocess.Popen[bytes]) -> bool:
    """Connect the machine with the node, unless another cluster has the addresses; return whether it did."""
    deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
    while not (inner := children(child.pid)) and time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.01)
    if not inner or Path("/sys/class/net", _OUTSIDE_NAME).exists():
        return False
    names = [_OUTSIDE_NAME, "type", "veth", "peer", "name", _INSIDE_NAME, "netns", inner[0]]
    enter = ["nsenter", "--target", inner[0], "--net"]
    for command in (
        ["ip", "link", "add", *names],
        ["ip", "address", "add", f"{OUTSIDE_ADDRESS}/30", "dev", _OUTSIDE_NAME],
        ["ip", "link", "set", _OUTSIDE_NAME, "up"],
        [*enter, "ip", "address", "add", f"{INSIDE_ADDRESS}/30", "dev", _INSIDE_NAME],
        [*enter, "ip", "link", "set", _INSIDE_NAME, "up"],
    ):
        subprocess.run(command, check=True)
    return True


_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _end_inner(pid: int) -> None:
    """Ask the inner program to end. A signal for `unshare` would kill it instead."""
    for inner in children(pid):
        os.kill(int(inner), signal.SIGTERM)


def children(pid: int) -> list[str]:
    """Return the ids of a process's children."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def work_directory() -> Path:
    """Return the run's directory, inside the sandbox."""
    return Path(os.environ[WORK])


def control_group(node: str) -> str:
    """Make the control group of a node in the run's own, inside the sandbox; return its name."""
    name = f"{work_directory().name}/{node}"
    for root in hierarchies():
        _make_group(root, name)
    return f"/{name}"


@contextlib.contextmanager
def _directories() -> Iterator[Path]:
    # Short, because the paths of sockets are limited.
    work = Path(tempfile.mkdtemp(prefix="cgk-", dir="/tmp"))
    work.chmod(0o711)
    (work / "tmp").mkdir(mode=0o711)
    try:
        yield work
    finally:
        _remove(work)


def _remove(work: Path) -> None:
    # A process that the kernel has just ended may hold a file for a moment.
    deadline = time.monotonic() + _REMOVED_WITHIN_SECONDS
    while work.exists() and time.monotonic() < deadline:
        shutil.rmtree(work, ignore_errors=True)
        time.sleep(0.05)


@contextlib.contextmanager
def _control_groups(name: str) -> Iterator[None]:
    roots = hierarchies()
    for root in roots:
        group = _make_group(root, name)
        for file, value in SHARES.items():
            if (group / file).exists():
                (group / file).write_text(value)
    try:
        yield
    finally:
        deadline = time.monotonic() + _REMOVED_WITHIN_SECONDS
        while time.monotonic() < deadline and [root for root in roots if remove_group(root / name)]:
            time.sleep(0.1)


def _make_group(root: Path, name: str) -> Path:
    group = root / name
    group.mkdir()
    # Without these a group of version 1 accepts no process.
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (root / file).exists() and root.name == "cpuset":
            (group / file).write_text((root / file).read_text())
    return group


def hierarchies() -> list[Path]:
    """Return the root of each hierarchy of control groups: one of version 2, or several of version 1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [group for group in CGROUPS.iterdir() if group.is_dir() and (group / "cgroup.procs").exists()]


def remove_group(group: Path) -> bool:
    """Remove a group with its children; return whether it is still there."""
    if not group.exists():
        return False
    for directory, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(directory).rmdir()
    return group.exists()
