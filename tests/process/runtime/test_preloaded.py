"""A fork of the preloaded gateway is a process like the installed program: `tests.preloaded`."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from local.installation import GATEWAY
from tests.preloaded import PreloadedRun, run_gateway

BARE = {"PATH": os.environ["PATH"], "COLUMNS": "200"}
RUNS = [GATEWAY, "local", "collate"]  # until a signal


@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["worker"], ["wrker"], ["topics", "plan", "--json"]])
def test_it_prints_and_returns_what_the_installed_program_does(arguments):
    done = subprocess.run([GATEWAY, *arguments], env=BARE, capture_output=True, text=True, check=False)
    forked = run_gateway(*arguments, environ=BARE)
    assert (forked.returncode, forked.stdout, forked.stderr) == (done.returncode, done.stdout, done.stderr)


def test_it_has_only_the_environment_that_it_is_given(monkeypatch):
    monkeypatch.setenv("GATEWAY_KAFKA__SECURTY", "SSL")
    assert "SECURTY" not in run_gateway("worker", environ=BARE).stderr
    assert "SECURTY" in run_gateway("worker", environ=BARE | {"GATEWAY_KAFKA__SECURTY": "SSL"}).stderr


@pytest.mark.parametrize(("sig", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_it_is_a_process_of_the_run_and_ends_with_a_signal(sig, code, eventually_blocking):
    with PreloadedRun("test") as run:
        log = run.directory / "log"
        process = run.spawn(RUNS, log=log, environ=BARE)
        eventually_blocking(lambda: log.exists() and "http://127.0.0.1" in log.read_text())
        program = run.spawn(["sleep", "60"], log=run.directory / "sleep")
        assert os.getpgid(process.pid) == os.getpgid(program.pid) != os.getpgid(0)
        assert Path(f"/proc/{process.pid}/cwd").readlink() == run.directory
        assert process.poll() is None
        process.send_signal(sig)
        assert process.wait(120) == code


def test_a_run_that_is_closed_leaves_no_fork():
    with PreloadedRun("test") as run:
        process = run.spawn(RUNS, log=run.directory / "log", environ=BARE)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0)
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
