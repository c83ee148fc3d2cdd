"""A share of the machine's processor time for some processes: a slow machine for them, at full speed for all others.

A control group sets the limit where this process may create a group (root). Elsewhere signals stop and continue the
processes in turn. The processes' later children have the same limit.
"""

import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

GROUPS: Final = Path("/sys/fs/cgroup")
PERIOD_SECONDS: Final = 0.1
# The kernel knows no quota below a millisecond.
_LONG_PERIOD_SECONDS: Final = 1.0
_SMALL_SHARE: Final = 0.01
_REMOVED_WITHIN_SECONDS: Final = 5.0
_numbers = itertools.count()


@contextmanager
def limited(processes: Callable[[], Iterable[int]], share: float) -> Iterator[str]:
    """Give the processes a share of all processors for the block. Yield how: `control group` or `signals`.

    `processes` returns the ids of the processes that run now.
    """
    group = _create_group(share)
    if group is None:
        with _by_signals(processes, share):
            yield "signals"
        return
    try:
        _move(group, processes())
        yield "control group"
    finally:
        _remove_group(group)


def _create_group(share: float) -> Path | None:
    """Create a group with the limit. Return None if this process may not."""
    period = round((_LONG_PERIOD_SECONDS if share < _SMALL_SHARE else PERIOD_SECONDS) * 1e6)
    quota = round(share * (os.cpu_count() or 1) * period)
    name = f"collate-gateway-slow-{os.getpid()}-{next(_numbers)}"
    try:
        if (GROUPS / "cgroup.controllers").exists():
            with contextlib.suppress(OSError):  # the controller may be on already
                (GROUPS / "cgroup.subtree_control").write_text("+cpu")
            (group := GROUPS / name).mkdir()
            (group / "cpu.max").write_text(f"{quota} {period}")
        else:
            (group := GROUPS / "cpu" / name).mkdir()
            (group / "cpu.cfs_period_us").write_text(str(period))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
    except OSError:
        return None
    return group


def _move(group: Path, processes: Iterable[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(process))


def _remove_group(group: Path) -> None:
    """Move the group's processes, also those that began in it, to the group's parent, and remove the group."""
    deadline = time.monotonic() + _REMOVED_WITHIN_SECONDS
    while True:
        _move(group.parent, map(int, (group / "cgroup.procs").read_text().split()))
        try:
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


@contextmanager
def _by_signals(processes: Callable[[], Iterable[int]], share: float) -> Iterator[None]:
    is_over = threading.Event()

    def alternate() -> None:
        while not is_over.wait(PERIOD_SECONDS * share):
            stopped = list(processes())
            _signal(stopped, signal.SIGSTOP)
            is_over.wait(PERIOD_SECONDS * (1 - share))
            _signal(stopped, signal.SIGCONT)

    thread = threading.Thread(target=alternate, name="quota", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _signal(processes: Iterable[int], sig: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, sig)
