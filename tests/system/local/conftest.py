"""A temporary directory of the test's own, to see what is left in it and who still works in it."""

import psutil
import pytest


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The only place where this process and those it starts put temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def processes_in():
    """Find the command lines of processes that work in a directory."""

    def find(directory):
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            arguments = " ".join(process.info["cmdline"] or [])
            is_there = str(directory) in arguments or str(directory) in (process.info["cwd"] or "")
            if is_there and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(arguments)
        return found

    return find
