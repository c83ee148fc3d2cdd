"""A private temporary directory, to check which files and processes are left."""

import psutil
import pytest


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The only directory in which this process and its children create temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("TEST_DATA", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def processes_in():
    """Return the command lines of the processes that use a directory."""

    def find(directory):
        found = []
        for process in psutil.process_iter(["cmdline", "cwd", "status"]):
            arguments = " ".join(process.info["cmdline"] or [])
            is_there = str(directory) in arguments or str(directory) in (process.info["cwd"] or "")
            if is_there and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(arguments)
        return found

    return find
