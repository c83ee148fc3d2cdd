"""The processor time of each process of a run, by role.

Processor time and counts of two runs can be compared even if the machine runs other work; wall time cannot.
"""

from collections import defaultdict

import psutil

_ROLES = {
    "kafka.Kafka": "Kafka",
    "local.collate": "simulated Collate",
    "bench.floors.bare_chain": "floor",
    "gateway ingress": "ingress",
    "gateway worker": "worker",
    "gateway projector": "projector",
    "postgres": "PostgreSQL",
}


class ProcessorTime:
    """The processor seconds of this process and its children since the creation of this object."""

    def __init__(self) -> None:
        self._before = _used()

    def per(self, commands: float) -> dict[str, float]:
        """Return the milliseconds per command by role, without processes that have no role."""
        return {
            role: (seconds - self._before.get(role, 0.0)) / commands * 1_000
            for role, seconds in sorted(_used().items())
        }


def seconds_of(pid: int) -> float:
    """Return the processor seconds that a process has used."""
    return float(sum(psutil.Process(pid).cpu_times()[:2]))


def _used() -> dict[str, float]:
    used: dict[str, float] = defaultdict(float)
    this = psutil.Process()
    for process in (this, *this.children(recursive=True)):
        try:
            command, times = " ".join(process.cmdline()), process.cpu_times()
        except psutil.NoSuchProcess:
            continue  # the process has just ended
        role = next((role for part, role in _ROLES.items() if part in command), None)
        if process is this:
            role = "load and readers"
        if role is not None:
            used[role] += times.user + times.system
    return used
