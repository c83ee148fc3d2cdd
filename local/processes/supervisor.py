"""The keeper: leads the process group of a run and cleans up when its parent closes the run or dies.

Started by `local.processes.run` as a program of its own. Standard input is a pipe whose only writer is the parent.
At its end,
the keeper kills its whole group, itself included, and a child that has just left the group removes the run's directory.
Standard output is open until that has been done. Stdlib only; it must start fast.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

GONE_WITHIN_SECONDS = 10.0
REMOVE_SEGMENT = 0  # IPC_RMID of <sys/ipc.h>


def main(directory: Path) -> None:
    """Wait until the parent closes its end, then sweep."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.read(0, 1)
    sweep(directory)


def sweep(directory: Path) -> None:
    """Kill everything in this process group and remove the directory."""
    group = os.getpgrp()
    if os.fork():
        while True:  # until the child kills the group
            signal.pause()
    os.setpgid(0, 0)
    os.killpg(group, signal.SIGKILL)
    for pid_file in directory.rglob("postmaster.pid"):
        release_segment(pid_file)
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    # Removing fails while one of the killed still writes a file. To wait for the group's end instead would be to wait
    # for whoever reaps it.
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(0.01)


def release_segment(pid_file: Path) -> None:
    """Remove the System V segment of a killed PostgreSQL, which outlives it; line 7 of its file names it."""
    lines = pid_file.read_text().splitlines()
    if len(lines) < 7 or len(segment := lines[6].split()) < 2:
        return
    import ctypes  # noqa: PLC0415 - only here, because a keeper must start fast

    ctypes.CDLL(None).shmctl(int(segment[1]), REMOVE_SEGMENT, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
