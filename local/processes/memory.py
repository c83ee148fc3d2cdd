"""The place of a server's data: memory for tests, so that no disk decides how long they wait.

A broker creates the partitions of all new topics one after the other, with several fsyncs for each. On a disk whose
fsync takes 0.5 s it answered NOT_LEADER_OR_FOLLOWER for 13 s after three topics were created.
"""

import os
import shutil
from pathlib import Path

import psutil

VARIABLE = "TEST_DATA"
# A server of the tests writes at most 0.2 GB. Servers that start when less is left use the disk.
REQUIRED_BYTES = 2 << 30


def data_directory() -> Path | None:
    """Return the directory in TEST_DATA if it has room and can hold programs; None: the temporary directory."""
    if not (given := os.environ.get(VARIABLE)) or not (directory := Path(given)).is_dir():
        return None
    free = min(shutil.disk_usage(directory).free, psutil.virtual_memory().available)
    # PostgreSQL's programs and the libraries of Kafka's codecs may be copied there.
    may_run = not os.statvfs(directory).f_flag & os.ST_NOEXEC
    return directory if may_run and free >= REQUIRED_BYTES else None


def prefer_memory() -> None:
    """Let the servers of this process and of its children keep their data in memory. A given TEST_DATA stays."""
    os.environ.setdefault(VARIABLE, "/dev/shm")  # noqa: S108 - mkdtemp follows
