"""The supervisor of a run: leads its process group and cleans up when the parent closes the run or ends.

`local.processes.run` starts this file as a program. Standard input is a pipe, and only the parent has its other end. At
the end of the input, the supervisor kills its whole group, including itself. A child that has left the group removes
the run's directory. Standard output stays open until then. Standard library only, because the start must be fast.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

REMOVED_WITHIN_SECONDS = 10.0
REMOVE_SEGMENT = 0  # IPC_RMID of <sys/ipc.h>


def main(directory: Path) -> None:
    """Wait until the parent closes its end, then clean up."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.read(0, 1)
    clean_up(directory)


def clean_up(directory: Path) -> None:
    """Kill all processes in this process group and remove the directory."""
    group = os.getpgrp()
    if os.fork():
        while True:  # until the child kills the group
            signal.pause()
    os.setpgid(0, 0)
    os.killpg(group, signal.SIGKILL)
    for pid_file in directory.rglob("postmaster.pid"):
        release_segment(pid_file)
    deadline = time.monotonic() + REMOVED_WITHIN_SECONDS
    # Removing fails while a killed process still writes a file. Waiting for the group instead would depend on the
    # process that reaps it.
    while directory.exists() and time.monotonic() < deadline:
        shutil.rmtree(directory, ignore_errors=True)
        time.sleep(0.01)


def release_segment(pid_file: Path) -> None:
    """Remove the System V segment of a killed PostgreSQL. Line 7 of its pid file has the segment's id."""
    lines = pid_file.read_text().splitlines()
    if len(lines) < 7 or len(segment := lines[6].split()) < 2:
        return
    import ctypes  # noqa: PLC0415 - imported here, because the supervisor must start fast

    ctypes.CDLL(None).shmctl(int(segment[1]), REMOVE_SEGMENT, None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
