"""Runs buildah with its own storage in the cache, and with no daemon: each RUN step runs in a chroot."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.failures import LocalError
from local.processes.cache import cache_directory


class BuildFailed(LocalError):
    """A step of the build failed. The message has the end of its output."""


class Buildah:
    """Images by name in one storage directory."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or cache_directory() / "image"
        self._directory.mkdir(parents=True, exist_ok=True)

    def run(self, verb: str, *arguments: str | Path, capture: bool = False) -> str:
        """Run a verb; return its output if it is captured. Raises BuildFailed."""
        command = [
            "buildah",
            "--root",
            str(self._directory / "storage"),
            "--runroot",
            str(self._directory / "run"),
            verb,
            *map(str, arguments),
        ]
        environ = os.environ | {"BUILDAH_ISOLATION": "chroot"}
        done = subprocess.run(
            command,
            env=environ,
            stdout=subprocess.PIPE if capture else None,
            stderr=subprocess.PIPE if capture else None,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildFailed(f"buildah {verb} ended with exit code {done.returncode}. {(done.stderr or '')[-2000:]}")
        return (done.stdout or "").strip()

    def has(self, name: str) -> bool:
        """Whether an image exists."""
        listed = self.run("images", "--format", "{{.Name}}:{{.Tag}}", capture=True)
        return name in listed.splitlines()

    def commit_directory(self, directory: Path, name: str, *configuration: str) -> None:
        """Make an image with one layer from a directory."""
        container = self.run("from", "scratch", capture=True)
        try:
            self.run("add", "--quiet", container, directory, "/", capture=True)
            if configuration:
                self.run("config", *configuration, container, capture=True)
            self.run("commit", "--quiet", container, name, capture=True)
        finally:
            self.run("rm", container, capture=True)

    def build(self, context: Path, name: str, *, base: str, is_local: bool, arguments: dict[str, str], at: str) -> None:
        """Build the context's Dockerfile. A base that is not local is pulled. `at` is the time of the files."""
        options = [word for argument in arguments.items() for word in ("--build-arg", "=".join(argument))]
        self.run(
            "bud",
            "--pull-never" if is_local else "--pull",
            "--timestamp",
            at,
            "--network",
            "host",
            # The build trusts the authorities of this machine: a proxy may have its own.
            "--volume",
            "/etc/ssl/certs:/etc/ssl/certs:ro",
            "--build-arg",
            f"BASE={base}",
            *options,
            "--tag",
            name,
            context,
        )

    def save(self, name: str, file: Path) -> None:
        """Write an image as an archive that `docker load` and `ctr images import` read."""
        file.unlink(missing_ok=True)
        self.run("push", "--quiet", name, f"docker-archive:{file}:{name}")

    def remove_dangling(self) -> None:
        """Remove images without a name: earlier builds of the same name."""
        self.run("rmi", "--prune", capture=True)

    @contextmanager
    def mounted(self, name: str) -> Iterator[Path]:
        """Mount an image's file system, and remove the container afterwards."""
        container = self.run("from", "--pull-never", name, capture=True)
        try:
            yield Path(self.run("mount", container, capture=True))
        finally:
            self.run("rm", container, capture=True)
