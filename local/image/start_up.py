"""Measures the image's start: the time until `gateway version` has ended, in the image's files as its user."""

import statistics
import subprocess
import time
from pathlib import Path
from typing import Final

from local.image.buildah import BuildFailed

_RUNS: Final = 5


def seconds_to_start(root: Path, *command: str, user: str = "10001:10001") -> float:
    """Return the median of five runs of a command of the image. Raises BuildFailed if one fails."""
    taken = []
    for _ in range(_RUNS):
        began = time.monotonic()
        done = subprocess.run(
            ["/usr/sbin/chroot", f"--userspec={user}", str(root), *command],
            env={"PATH": "/opt/gateway/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildFailed(f"{' '.join(command)} ended with {done.returncode} in the image: {done.stderr[-2000:]}")
        taken.append(time.monotonic() - began)
    return statistics.median(taken)
