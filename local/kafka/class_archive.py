"""The archive of a node's classes, loaded and linked ahead of time (JEP 514): half of the processor time of a start.

The tests' downloads make it: they start a node, let the JVM record the classes, and stop the node. That takes about ten
seconds of processor time and 65 MB, once for each version of Java and of the jars: too much for a first look at the
product. Every cluster uses an archive that exists. The JVM ignores an archive that does not fit its classes.
"""

import fcntl
import hashlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from local.failures import StartFailed
from local.kafka import readiness
from local.kafka.broker import JVM, Node, java
from local.processes.patience import Patience, slowness
from local.processes.ports import free_ports
from local.processes.run import Run, stop

ARCHIVES = 3  # of earlier versions and other environments; each has about 70 MB
READY_WITHIN_SECONDS = 30.0
WRITTEN_WITHIN_SECONDS = 30.0
RETRY_SECONDS = 3600.0
POLL_SECONDS = 0.05
_CLUSTER_ID = "class-archive-0000000w"  # 16 bytes in base64, as Kafka requires


def make_class_archive(jars: Sequence[Path]) -> None:
    """Make the archive if it is missing, unless another process is making it.

    An empty file says that the last attempt failed. A busy machine may be too slow, so a later start tries again.
    """
    archive = _path(jars)
    if _is_wanted(archive):
        with suppress(OSError), _alone(archive.with_suffix(".lock")) as is_alone:
            if is_alone and _is_wanted(archive):
                _make(archive, jars)


def class_archive(jars: Sequence[Path]) -> Path | None:
    """Return the archive. None: there is none."""
    archive = _path(jars)
    return archive if archive.exists() and archive.stat().st_size else None


def _is_wanted(archive: Path) -> bool:
    if not archive.exists():
        return True
    found = archive.stat()
    return found.st_size == 0 and time.time() - found.st_mtime > RETRY_SECONDS


def _path(jars: Sequence[Path]) -> Path:
    modules = java().parent.parent / "lib" / "modules"
    found = modules.stat()
    parts = [str(found.st_size), str(found.st_mtime_ns), *JVM, *map(str, jars)]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return jars[0].parent / f"classes-{digest}.aot"


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _make(archive: Path, jars: Sequence[Path]) -> None:
    with Run("kafka-classes") as run:
        partial = run.directory / "classes.aot"  # the JVM also writes a file of its own beside it
        try:
            _record(run, partial, jars)
        except (StartFailed, subprocess.TimeoutExpired):
            partial.unlink(missing_ok=True)
        if not partial.exists():
            partial.touch()
        # The cache may be on another disk, and no other process may see a part of the archive.
        copied = archive.with_suffix(".partial")
        shutil.move(partial, copied)
        copied.replace(archive)
    archives = sorted(archive.parent.glob("classes-*.aot"), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in archives[ARCHIVES:]:
        old.unlink(missing_ok=True)


def _record(run: Run, archive: Path, jars: Sequence[Path]) -> None:
    node = Node(1, run.directory / "node", *free_ports(2))
    node.write([node], jars, {})
    if run.spawn(node.format_command(_CLUSTER_ID), log=node.output).wait(READY_WITHIN_SECONDS * slowness()):
        raise StartFailed("the storage could not be formatted")
    with (node.directory / "java.arguments").open("a") as arguments:
        arguments.write(f"-XX:AOTCacheOutput={archive}\n")
    process = run.spawn(node.start_command("512m", long_lived=False), log=node.output)
    patience = Patience(READY_WITHIN_SECONDS)
    while readiness.check(node.port, node.number, 1) is not None:
        if process.poll() is not None or patience.is_over:
            raise StartFailed("the node did not start")
        time.sleep(POLL_SECONDS)
    stop([process], WRITTEN_WITHIN_SECONDS * slowness())
    if process.returncode < 0 and process.returncode != -signal.SIGTERM:
        raise StartFailed("the archive was not written in time")
