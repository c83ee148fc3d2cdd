"""The processor time of each process of a run, by role.

Processor time and counts of two runs can be compared even if the machine runs other work; wall time cannot.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROLES = {
    "kafka.Kafka": "Kafka",
    "local.collate": "simulated Collate",
    "bench.floors.bare_chain": "floor",
    "gateway ingress": "ingress",
    "gateway worker": "worker",
}
LOAD = "load and readers"
# Of this process at its start; empty where the operating system does not let a process choose.
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


class ProcessorTime:
    """The processor seconds of this process and its children since the creation of this object."""

    def __init__(self) -> None:
        self._before = _used()

    def since(self) -> dict[str, float]:
        """Return the seconds by role, without processes that have no role."""
        return {role: seconds - self._before.get(role, 0.0) for role, seconds in sorted(_used().items())}


def share_one_core() -> None:
    """Move ingress and worker to the first core and all other processes of this run to the second, for good.

    Needs `has_two_cores`.
    """
    first, second, *_ = _CORES
    for process, role in _processes():
        core = first if role in {"ingress", "worker"} else second
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {core})


def has_two_cores() -> bool:
    """Whether processes can be moved to one of two cores."""
    return len(_CORES) > 1


def _used() -> dict[str, float]:
    used: dict[str, float] = defaultdict(float)
    for process, role in _processes():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # the process has just ended
        used[role] += times.user + times.system
    return used


def _processes() -> Iterator[tuple[psutil.Process, str]]:
    """Find this process and its children that have a role."""
    this = psutil.Process()
    yield this, LOAD
    for process in this.children(recursive=True):
        try:
            command = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        role = next((role for part, role in _ROLES.items() if part in command), None)
        if role is not None:
            yield process, role
