"""A pytest session with several processes: `pytest -p tests.forks --processes 5`.

The session imports and collects the tests once, then forks. pytest-xdist, in contrast, collects all tests in each
process, which cost a tenth of the processor time of `make test`, and 400 MB each. A process takes a group of tests,
runs it, sends the reports, and takes the next group. `tests/spread.py` makes the groups.
"""

import contextlib
import itertools
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import pytest

from tests.spread import group_of, is_heavy, order

_END_SECONDS: Final = 20.0
# So many groups with servers run at once: more would make a busy machine miss the bounds that tests have.
_HEAVY_AT_ONCE: Final = 1 + (os.cpu_count() or 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--processes", type=int, default=1, help="number of processes that run tests")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    option = session.config.option
    if option.processes < 2 or option.collectonly or session.testsfailed or option.usepdb:
        return None
    _Run(session).run(option.processes)
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.processes > 1:
        items.sort(key=lambda item: order(item.nodeid))


@dataclass
class _Process:
    pid: int
    connection: Connection
    left: list[int] = field(default_factory=list)  # the tests of its group without an end, as indices

    def close(self, deadline: float | None = None) -> int:
        """Wait for the end of the process, kill it at the deadline, and return its exit code, negative for a signal."""
        self.connection.close()
        while deadline is not None and not _has_ended(self.pid):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                deadline = None
            time.sleep(0.02)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class _Run:
    """The session's side: the groups that wait, and the processes."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._hook = session.config.hook
        groups: dict[str, list[int]] = {}
        for index, item in enumerate(session.items):
            groups.setdefault(group_of(item.nodeid), []).append(index)
        self._waiting = list(groups.values())
        self._processes: dict[Connection, _Process] = {}
        self._idle: list[_Process] = []
        self._numbers = itertools.count()

    def run(self, number: int) -> None:
        """Run all groups, or stop early as the session demands."""
        reporter = self._session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False  # files alternate
        _check_threads()
        try:
            for _ in range(min(number, len(self._waiting))):
                self._start()
            while self._processes and not self._stops():
                for ready in wait(list(self._processes)):
                    self._receive(self._processes[ready])
        finally:
            for one in self._processes.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGINT)
            deadline = time.monotonic() + _END_SECONDS
            for one in self._processes.values():
                one.close(deadline)
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    def _start(self) -> None:
        # Each process has its own directory in that of the session.
        own = self._session.config._tmp_path_factory.getbasetemp() / str(next(self._numbers))
        ours, theirs = Pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            ours.close()
            for other in self._processes:
                other.close()
            _work(self._session, theirs, own)
        theirs.close()
        self._processes[ours] = _Process(pid, ours)

    def _receive(self, one: _Process) -> None:
        try:
            kind, value = one.connection.recv()
        except (EOFError, ConnectionResetError):
            self._end(one)
            return
        match kind:
            case "next":
                self._idle.append(one)
                self._assign()
            case "began":
                self._hook.pytest_runtest_logstart(nodeid=value[0], location=value[1])
            case "report":
                report = self._hook.pytest_report_from_serializable(config=self._session.config, data=value)
                self._hook.pytest_runtest_logreport(report=report)
            case "ended":
                del one.left[0]
                self._hook.pytest_runtest_logfinish(nodeid=value[0], location=value[1])

    def _assign(self) -> None:
        """Give groups to the idle processes. Those that may get none yet stay idle, until a process is idle again."""
        still_idle = []
        for one in self._idle:
            one.left = self._next_group()
            if self._waiting and not one.left:
                still_idle.append(one)
                continue
            with contextlib.suppress(BrokenPipeError):
                one.connection.send(one.left)
        self._idle = still_idle

    def _next_group(self) -> list[int]:
        running = sum(self._is_heavy(one.left) for one in self._processes.values() if one.left)
        for number, group in enumerate(self._waiting):
            if running < _HEAVY_AT_ONCE or not self._is_heavy(group):
                return self._waiting.pop(number)
        return []

    def _is_heavy(self, group: list[int]) -> bool:
        return is_heavy(self._session.items[group[0]].nodeid)

    def _stops(self) -> bool:
        return bool(self._session.shouldfail or self._session.shouldstop)

    def _end(self, one: _Process) -> None:
        del self._processes[one.connection]
        self._idle = [idle for idle in self._idle if idle is not one]
        code = one.close()
        if code == 0 and not one.left:
            self._assign()
            return
        item = self._session.items[one.left[0] if one.left else -1]
        text = f"The process of this test ended with code {code} before the test did."
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")
        self._hook.pytest_runtest_logreport(report=report)
        if one.left[1:]:
            self._waiting.insert(0, one.left[1:])
        if self._waiting:
            self._start()


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _check_threads() -> None:
    """Raise an error if the import of a test started threads: a fork has only the thread that forks."""
    threads = Path("/proc/self/task")
    if threads.exists() and len(list(threads.iterdir())) > 1:
        names = [one.name for one in threading.enumerate()]
        raise pytest.UsageError(f"The import of a test started threads, which a fork would lose. Of Python: {names}")


class _Reports:
    """Sends a process' reports to the session."""

    def __init__(self, config: pytest.Config, connection: Connection) -> None:
        self._config, self._connection = config, connection

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._connection.send(("began", (nodeid, location)))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._connection.send(("report", data))

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        self._connection.send(("ended", (nodeid, location)))


def _work(session: pytest.Session, connection: Connection, directory: Any) -> None:
    """Run groups until the session has none, in a forked process. Never return."""
    code = 1
    try:
        _become_a_process(session.config, connection, directory)
        last = None
        try:
            for last, following in _tests(session, connection):
                session.config.hook.pytest_runtest_protocol(item=last, nextitem=following)
        finally:
            _end_fixtures(session, last, connection)
        code = 0
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass  # the session has ended or is interrupted
    except Exception:  # noqa: BLE001 - the end of the process
        traceback.print_exc()
    finally:
        session.config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
        os._exit(code)


def _become_a_process(config: pytest.Config, connection: Connection, directory: Any) -> None:
    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal and the session may both send it
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    # The file of captured output has one offset for all processes that inherit it.
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    directory.mkdir()
    config._tmp_path_factory._basetemp = directory  # as pytest-xdist does by an option of each process
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(_Reports(config, connection))


def _tests(session: pytest.Session, connection: Connection) -> Iterator[tuple[pytest.Item, Any]]:
    while True:
        connection.send(("next", None))
        group = [session.items[index] for index in connection.recv()]
        if not group:
            return
        # After the last one, only the fixtures of the session stay.
        yield from zip(group, [*group[1:], session], strict=True)


def _end_fixtures(session: pytest.Session, item: pytest.Item | None, connection: Connection) -> None:
    """End the session's fixtures. An error is one of the last test, as in a session without processes."""
    ended = pytest.CallInfo.from_call(lambda: session._setupstate.teardown_exact(None), when="teardown")
    if ended.excinfo is not None and item is not None:
        report = session.config.hook.pytest_runtest_makereport(item=item, call=ended)
        session.config.hook.pytest_runtest_logreport(report=report)
