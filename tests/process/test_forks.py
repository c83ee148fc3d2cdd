"""A session of several processes reports what one process would report. The sessions here are real ones."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.processes.patience import Patience, slowness

ROOT = Path(__file__).parents[2]
CONFTEST = """
import os
import pytest

@pytest.fixture(scope="session")
def server(tmp_path_factory):
    place = tmp_path_factory.mktemp("server")
    yield place
    with open("ended", "a") as ended:
        ended.write(f"{os.getpid()}\\n")

@pytest.fixture(scope="session")
def broken_server():
    yield
    raise OSError("the server did not stop")
"""


@pytest.fixture
def session(tmp_path):
    """Return a function that runs a session over files of tests with three processes."""
    folder = tmp_path / "tests" / "unit"
    folder.mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text(CONFTEST.replace("\\\\n", "\\n"))

    def start(*arguments, **files):
        for name, text in files.items():
            (folder / f"test_{name}.py").write_text(text)
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "tests.forks",
                "--processes",
                "3",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:schemathesis",
                "-ra",
                "--import-mode=importlib",
                *arguments,
            ],
            cwd=tmp_path,
            env=os.environ
            | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT), "PYTEST_DEBUG_TEMPROOT": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def result(process):
    output, _ = process.communicate(timeout=60 * slowness())
    return output, re.findall(r"(\d+) (passed|failed|skipped|xfailed|error)", output.splitlines()[-1])


KINDS = """
import pytest

def test_passes(server): pass
def test_fails():
    print("words of the failing test")
    assert 1 == 2
@pytest.mark.skip(reason="not here")
def test_skipped(): pass
@pytest.mark.xfail(strict=True)
def test_expected(): assert False
@pytest.mark.parametrize("number", range(50))
def test_many(number, tmp_path): print("words of others")
"""


def test_each_outcome_is_reported_once_and_with_its_own_output(session, tmp_path):
    output, counts = result(session(a=KINDS, b=KINDS, c=KINDS))
    assert sorted(counts) == [("153", "passed"), ("3", "failed"), ("3", "skipped"), ("3", "xfailed")]
    assert output.count("words of the failing test") == 2 * 3  # the source line and the output
    assert "words of others" not in output
    processes = (tmp_path / "ended").read_text().split()
    assert len(set(processes)) == len(processes) >= 1


def test_a_killed_process_fails_its_test_and_no_other(session):
    killed = """
import os, signal, pytest
def test_before(): pass
def test_killed(): os.kill(os.getpid(), signal.SIGKILL)
@pytest.mark.parametrize("number", range(5))
def test_after(number): pass
"""
    output, counts = result(session(a=killed, b="def test_other(): pass"))
    assert sorted(counts) == [("1", "failed"), ("7", "passed")]
    assert "/test_a.py::test_killed - The process" in output
    assert "ended with code -9" in output


def test_an_error_at_the_end_of_a_fixture_of_the_session_is_reported(session):
    process = session(a="def test_a(broken_server): pass", b="def test_b(): pass")
    output, counts = result(process)
    assert sorted(counts) == [("1", "error"), ("2", "passed")]
    assert "the server did not stop" in output
    assert process.returncode == 1


def test_the_first_failure_ends_the_session_if_that_is_asked(session, tmp_path):
    waiting = "import time\ndef test_waits(server): time.sleep(50)"
    output, counts = result(session("-x", a="import time\ndef test_a(): time.sleep(1); assert False", b=waiting))
    assert ("1", "failed") in counts
    assert (tmp_path / "ended").exists(), output


def test_an_interrupt_ends_every_process_and_its_fixtures(session, tmp_path):
    waiting = (
        "import pathlib, time\ndef test_waits(server):\n    pathlib.Path(__file__ + '.began').touch(); time.sleep(50)"
    )
    process = session(a=waiting, b=waiting)
    folder = tmp_path / "tests" / "unit"
    patience = Patience(30)
    while len(list(folder.glob("*.began"))) < 2:
        assert not patience.is_over
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20 * slowness())
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert len((tmp_path / "ended").read_text().split()) == 2
