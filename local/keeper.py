"""The keeper: leads the process group of a run and cleans up after a parent that was killed.

Started by `local.run` as a program of its own. Standard input is a pipe whose only writer is the parent: a byte means
an orderly end, end-of-file means that the parent is dead. Then it kills its whole group, itself included, and a child
that has just left the group removes the run's directory. Stdlib only; it must start fast.
"""

import os
import shutil
import signal
import sys
import time

GONE_WITHIN_SECONDS = 10.0


def main(directory: str) -> None:
    """Wait for the parent's end and clean up if it was not an orderly one."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    if not os.read(0, 1):
        sweep(directory)


def sweep(directory: str) -> None:
    """Kill everything in this process group and remove the directory."""
    group = os.getpgrp()
    if os.fork():
        while True:  # until the child kills the group
            signal.pause()
    os.setpgid(0, 0)
    os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while exists(group) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(directory, ignore_errors=True)


def exists(group: int) -> bool:
    """Say whether the process group has a member, be it one that only waits to be reaped."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1])
