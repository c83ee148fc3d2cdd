"""Every command line of local/collate/README.md runs: each start, and each requested fault."""

import json
import os
import subprocess

import httpx
import pytest

from local.processes.run import Run
from tests.contract.documents.pages import LINES, ROOT
from tests.system.documents.reader import BIN

OWN = [line for line in LINES if line.page == "local/collate/README.md"]
STARTS = [line for line in OWN if line.words[0] == "python"]
FAULTS = [line for line in OWN if line.words[0] == "curl"]


def test_all_its_lines_are_starts_or_faults():
    assert (len(STARTS), len(FAULTS)) == (2, 3)
    assert len(OWN) == len(STARTS) + len(FAULTS)


@pytest.mark.parametrize("line", STARTS, ids=lambda line: " ".join(line.words))
def test_it_starts_and_accepts_every_shown_fault(line, eventually_blocking):
    environ = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    with Run("readme") as run:
        log = run.directory / "log"
        run.spawn(["bash", "-c", f"exec {line.text}"], log=log, environ=environ)
        eventually_blocking(lambda: log.exists() and log.read_text().endswith("}\n"), within=30)
        urls = json.loads(log.read_text())
        assert httpx.get(f"{urls['url']}/health", timeout=120).status_code == 200
        for fault in FAULTS:
            environ["SIM"] = urls["url"]
            done = subprocess.run(["bash", "-c", fault.text], env=environ, capture_output=True, text=True, check=True)
            assert "problem" not in json.loads(done.stdout), done.stdout
