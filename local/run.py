"""A run: a temporary directory and the processes that work in it.

Owns their end: on close, on Ctrl-C and on the parent's own SIGKILL (by way of `local.keeper`) no process and no
directory is left. All processes stand in the keeper's process group, so a Ctrl-C at the terminal reaches the parent
alone, which then stops them in order.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

KEEPER = Path(__file__).with_name("keeper.py")


class Run:
    """Start processes that share one temporary directory and end with this object or this process."""

    def __init__(self, name: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"collate-gateway-{name}-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def spawn(
        self, argv: Sequence[str | Path], *, log: Path, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process whose output is appended to a log file."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                cwd=self.directory,
                process_group=self._keeper.pid,
            )
        self._processes.append(process)
        return process

    def close(self, grace_seconds: float = 15) -> None:
        """Stop what still runs, all at once, and remove the directory."""
        try:
            stop(self._processes, grace_seconds)
        finally:
            stop(self._processes, 0)
            self._processes.clear()
            shutil.rmtree(self.directory, ignore_errors=True)
            self._release_keeper()

    def _release_keeper(self) -> None:
        if self._keeper.stdin is not None and not self._keeper.stdin.closed:
            try:
                os.write(self._keeper.stdin.fileno(), b".")
            except BrokenPipeError:  # somebody killed the keeper; nothing is left for it to do
                pass
            finally:
                self._keeper.stdin.close()
        self._keeper.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def stop(processes: Iterable[subprocess.Popen[bytes]], grace_seconds: float) -> None:
    """Ask processes to end, all at once, and kill those that have not ended in time."""
    running = [process for process in processes if process.poll() is None]
    if grace_seconds > 0:
        for process in running:
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a frozen process could not obey
    deadline = time.monotonic() + grace_seconds
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
