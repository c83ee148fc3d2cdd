"""A run: a temporary directory and the processes that work in it.

Owns their end: on close, on Ctrl-C and on the parent's own SIGKILL (by way of `local.processes.supervisor`) no
process and no
directory is left. All processes stand in the keeper's process group, so a Ctrl-C at the terminal reaches the parent
alone, which then stops them in order.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

KEEPER = Path(__file__).with_name("supervisor.py")


class Run:
    """Start processes that share one temporary directory and end with this object or this process."""

    def __init__(self, name: str, within: Path | None = None) -> None:
        """`within` is for who can't work in the usual directory for temporary files."""
        self.directory = Path(tempfile.mkdtemp(prefix=f"collate-gateway-{name}-", dir=within))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def spawn(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        environ: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process whose output is appended to a log file; `user` is for root, who may start it as another."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                cwd=self.directory,
                process_group=self._keeper.pid,
                user=user,
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
            self._release_keeper()
            # In case somebody killed the keeper.
            shutil.rmtree(self.directory, ignore_errors=True)

    def _release_keeper(self) -> None:
        """Have it kill what an exception made us lose track of; its output ends when the directory is gone."""
        closing, gone = self._keeper.stdin, self._keeper.stdout
        if closing is None or gone is None or gone.closed:
            return
        closing.close()
        with gone:
            gone.read()
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


@contextmanager
def until_interrupted() -> Iterator[None]:
    """End the block quietly at Ctrl-C, and let SIGTERM and SIGHUP do the same."""
    before = {sig: signal.signal(sig, signal.default_int_handler) for sig in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)
