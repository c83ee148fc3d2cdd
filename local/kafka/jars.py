"""Pinned jars of Apache Kafka and of other programs: downloaded once, checked by sha256 before each use.

This module reads no POM; `local.kafka.jarlock` resolves them and writes `kafka.lock.toml`. A download goes to a private
directory and moves into the cache after its check, so several processes can fetch at the same time.
"""

import errno
import hashlib
import logging
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from local.failures import USE_AN_EXISTING_CLUSTER, NoJars, NoSpace

# `tests.matrix` runs other versions of Kafka: kafka-3.9.lock.toml.
LOCK = Path(__file__).with_name(os.environ.get("LOCAL_KAFKA_LOCK", "kafka.lock.toml"))
DOWNLOADS_AT_ONCE = 8
TRIES = 3
TIMEOUT_SECONDS = 30
KAFKA = "Apache Kafka"


@dataclass(frozen=True, slots=True)
class Jar:
    """A pinned jar. `size` is in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int
    packaging: str = "jar"

    @property
    def filename(self) -> str:
        """The name in the cache. The digest separates files of the same version from different locks."""
        return f"{self.artifact}-{self.version}-{self.sha256[:12]}.{self.packaging}"


def read_lock(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Return the pinned jars."""
    return tuple(Jar(**entry) for entry in tomllib.loads(lock.read_text())["jar"])


def fetch(jars: Sequence[Jar], directory: Path, program: str = KAFKA) -> list[Path]:
    """Return the path of each jar of a program, and download those that the directory lacks.

    Raises:
        NoJars: a jar cannot be downloaded, or never matches its digest.
        NoSpace: the disk has too little space.
    """
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        intact = pool.map(lambda jar: _is_intact(directory / jar.filename, jar), jars)
        missing = [jar for jar, present in zip(jars, intact, strict=True) if not present]
    if missing:
        _download_all(missing, directory, program)
    return [directory / jar.filename for jar in jars]


def _download_all(jars: Sequence[Jar], directory: Path, program: str) -> None:
    size = sum(jar.size for jar in jars)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        require_space(directory, size)
        with (
            _progress(f"{program}, {len(jars)} jars, once", size) as advance,
            tempfile.TemporaryDirectory(prefix="download-", dir=directory) as scratch,
            ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
        ):
            context = MavenContext(
                resolver=PythonResolver(progress_callback=lambda *_: nullcontext(advance)),
                repo_cache=Path(scratch),
                local_repos=[],
                timeout=TIMEOUT_SECONDS,
            )
            for jar, downloaded in zip(jars, pool.map(lambda jar: _download(context, jar), jars), strict=True):
                downloaded.replace(directory / jar.filename)
    except OSError as error:  # the errors of requests are OSErrors too
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"The disk of {directory} filled up while downloading {program}.") from error
        remedy = f" {USE_AN_EXISTING_CLUSTER}" if program == KAFKA else ""
        raise NoJars(
            f"{program} could not be downloaded and {directory} lacks {len(jars)} jars. "
            f"Connect this machine to its package registry once; later runs need no network."
            f"{remedy} ({type(error).__name__})"
        ) from error


def _download(context: MavenContext, jar: Jar) -> Path:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(packaging=jar.packaging)
    for attempt in range(1, TRIES + 1):
        try:
            path = Path(artifact.resolve())
        except OSError as error:
            if attempt == TRIES or error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
        except RuntimeError as error:  # jgo: no repository has the jar
            raise NoJars(f"The registry does not have {jar.group}:{jar.artifact}:{jar.version}.") from error
        else:
            if _is_intact(path, jar):
                return path
        # The next attempt would treat an incomplete file as complete.
        if artifact.cached_path is not None:
            artifact.cached_path.unlink(missing_ok=True)
    raise NoJars(f"{jar.artifact} {jar.version} was downloaded {TRIES} times and never matched its pinned sha256.")


def _is_intact(path: Path, jar: Jar) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


def require_space(directory: Path, size: int) -> None:
    """Raise NoSpace unless the directory's disk has `size` free bytes."""
    free = shutil.disk_usage(directory).free
    if free < size:
        needed, found = size >> 20, free >> 20
        raise NoSpace(
            f"{directory} needs {needed} MiB and its disk has {found} MiB free: free space or use another disk."
        )


@contextmanager
def _progress(title: str, size: int) -> Iterator[Callable[[int], None]]:
    # jgo warns about checksum files that it cannot read. Our own digests are checked instead.
    logging.getLogger("jgo").setLevel(logging.ERROR)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=size)
        yield lambda count: progress.advance(task, count)
