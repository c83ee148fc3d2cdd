"""The processor time of each process of a run, by role.

Processor time and counts of two runs can be compared even if the machine runs other work; wall time cannot.
"""

from __future__ import annotations

from collections import defaultdict

import psutil

_ROLES = {
    "kafka.Kafka": "Kafka",
    "local.collate": "simulated Collate",
    "bench.floors.bare_chain": "floor",
    "gateway ingress": "ingress",
    "gateway worker": "worker",
}
LOAD = "load and readers"


class ProcessorTime:
    """The processor seconds of this process and its children since the creation of this object."""

    def __init__(self) -> None:
        self._before = _used()

    def since(self) -> dict[str, float]:
        """Return the seconds by role, without processes that have no role."""
        return {role: seconds - self._before.get(role, 0.0) for role, seconds in sorted(_used().items())}


def _used() -> dict[str, float]:
    used: dict[str, float] = defaultdict(float)
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        try:
            times, command = process.cpu_times(), " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue  # the process has just ended
        role = LOAD if process == this else next((role for part, role in _ROLES.items() if part in command), None)
        if role is not None:
            used[role] += times.user + times.system
    return used
