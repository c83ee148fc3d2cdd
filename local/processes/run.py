"""A run: a temporary directory and the processes that work in it.

After a close, a Ctrl-C or a SIGKILL of the parent, no process and no directory is left; `local.processes.supervisor`
ensures this. All processes are in the supervisor's process group. So a Ctrl-C in the terminal reaches only the parent,
which stops the processes in order.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from local.failures import exit_code

INTERRUPTED: Final = 130
SUPERVISOR = Path(__file__).with_name("supervisor.py")


class Run:
    """Starts processes that share a temporary directory and end with this object or this process."""

    def __init__(self, name: str, within: Path | None = None) -> None:
        """`within` is the parent directory; default: the system's directory for temporary files."""
        self.directory = Path(tempfile.mkdtemp(prefix=f"collate-gateway-{name}-", dir=within))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(SUPERVISOR), str(self.directory)],
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
        """Start a process that appends its output to a log file. Only root may give a `user` to run it as."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environ,
                cwd=self.directory,
                process_group=self._supervisor.pid,
                user=user,
            )
        self._processes.append(process)
        return process

    def close(self, grace_seconds: float = 15) -> None:
        """Stop all processes at the same time, and remove the directory."""
        try:
            stop(self._processes, grace_seconds)
        finally:
            stop(self._processes, 0)
            self._processes.clear()
            self._release_supervisor()
            # The supervisor may have been killed.
            shutil.rmtree(self.directory, ignore_errors=True)

    def _release_supervisor(self) -> None:
        """Make the supervisor kill the rest of its group. Its output ends when the directory is removed."""
        stdin, stdout = self._supervisor.stdin, self._supervisor.stdout
        if stdin is None or stdout is None or stdout.closed:
            return
        stdin.close()
        with stdout:
            stdout.read()
        self._supervisor.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stop(processes: Iterable[subprocess.Popen[bytes]], grace_seconds: float) -> None:
    """Send SIGTERM to all processes, and SIGKILL to those that have not ended in time."""
    running = [process for process in processes if process.poll() is None]
    if grace_seconds > 0:
        for process in running:
            process.terminate()
            process.send_signal(signal.SIGCONT)  # a frozen process cannot handle SIGTERM
    deadline = time.monotonic() + grace_seconds
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def until_interrupted() -> Iterator[None]:
    """End the block without an error at Ctrl-C, SIGTERM or SIGHUP."""
    before = {sig: signal.signal(sig, signal.default_int_handler) for sig in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def interruptible(verb: Callable[[], int | None]) -> int:
    """Run a verb that Ctrl-C, SIGTERM or SIGHUP may end; return its exit code, 130 after such an end."""
    with until_interrupted():
        return exit_code(verb)
    return INTERRUPTED
