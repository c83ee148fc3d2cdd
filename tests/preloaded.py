"""Processes of the gateway that start without a second of imports: forks of a server that has imported the gateway.

They are processes like those that exec starts: with their own sockets, signals, environment, output and exit code.
They do not show that the installed program starts, nor that a verb imports
what it needs. Tests of the documents, the image, `make demo`, `make dev`, the console's process and the delivery
of webhooks show that with the installed program.

The server is the standard library's, `multiprocessing.forkserver`. It starts with the first such process of a session.
All processes of a run share one (`pytest -p tests.preloaded`): its imports take 1.5 s of processor time.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import connection, forkserver
from pathlib import Path

from cli.app import VERBS, main
from local.installation import GATEWAY
from local.processes.run import Run

# The modules of the verbs, and what a verb imports when it runs.
_MODULES = {row.function.partition(":")[0] for row in VERBS.values()} - {""} | {"consumers.projector.rebuild"}
RUN_WITHIN_SECONDS = 300
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__, *sorted(_MODULES)])
# Where the server of a run is, and in later versions of Python its key.
_PLACE = ("_forkserver_address", "_forkserver_authkey")
# Several threads start processes and wait for them. Each start reads the exit codes of all processes that have ended.
_lock = threading.Lock()


def pytest_sessionstart(session):
    """Start the server while the others collect: in the process that distributes the tests."""
    if not (hasattr(session.config, "workerinput") or session.config.option.collectonly):
        forkserver.ensure_running()


def pytest_configure_node(node):
    """Give the server's place to a process of pytest-xdist."""
    server = forkserver._forkserver
    node.workerinput["preloaded"] = {name: getattr(server, name) for name in _PLACE if hasattr(server, name)}


def pytest_configure(config):
    if place := getattr(config, "workerinput", {}).get("preloaded"):
        server = forkserver._forkserver
        vars(server).update(place, ensure_running=lambda: None, _forkserver_alive_fd=os.open(os.devnull, os.O_RDONLY))


class Preloaded:
    """A process of `gateway`, with the interface of `subprocess.Popen` that a `Run` needs."""

    def __init__(self, arguments, *, environ, output, errors, directory, group=None):
        program = {
            "arguments": list(map(str, arguments)),
            "environ": dict(environ),
            "output": output,
            "errors": errors,
            "directory": directory,
            "group": group,
        }
        self._process = _forks.Process(target=_run, kwargs=program, daemon=True)
        with _lock:
            self._process.start()
        self.pid = self._process.pid
        self.returncode = None

    def poll(self):
        with _lock:
            self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout=None):
        connection.wait([self._process.sentinel], timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(["gateway"], timeout)
        return self.returncode

    def send_signal(self, sig):
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class PreloadedRun(Run):
    """A `Run` that starts this tree's `gateway` as a fork, and any other program as usual."""

    def spawn(self, argv, *, log, environ=None, user=None):
        program, *arguments = argv
        if program != GATEWAY or user is not None:
            return super().spawn(argv, log=log, environ=environ, user=user)
        process = Preloaded(
            arguments,
            environ=os.environ if environ is None else environ,
            output=log,
            errors=log,
            directory=self.directory,
            group=self._supervisor.pid,
        )
        self._processes.append(process)
        return process


def run_gateway(*arguments, environ):
    """Run `gateway` with these arguments to its end. Return what `subprocess.run` returns, with the output as text."""
    with tempfile.TemporaryDirectory() as directory:
        output, errors = Path(directory, "output"), Path(directory, "errors")
        process = Preloaded(arguments, environ=environ, output=output, errors=errors, directory=Path.cwd())
        try:
            code = process.wait(RUN_WITHIN_SECONDS)
        finally:
            process.kill()
        return subprocess.CompletedProcess(["gateway", *arguments], code, output.read_text(), errors.read_text())


def _run(*, arguments, environ, output, errors, directory, group):
    """Become the program: in the new process, after the fork."""
    if group is not None:
        os.setpgid(0, group)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    os.chdir(directory)
    for number, path in ((1, output), (2, errors)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = [str(GATEWAY), *arguments]
    main()
