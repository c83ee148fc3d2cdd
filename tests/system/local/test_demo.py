"""`gateway demo` and `gateway dev`, as a person runs them."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

GATEWAY = Path(sys.executable).with_name("gateway")
STORY = (
    "authorization.action_required",
    "handoff.opened",
    "handoff.access_granted",
    "handoff.closed",
    "handoff.reconciled",
    "authorization.settled",
)


def test_the_demo_tells_the_whole_story_and_leaves_nothing(temporary, processes_in, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    told = subprocess.run([GATEWAY, "demo"], capture_output=True, text=True, timeout=110, check=False)

    assert told.returncode == 0, told.stdout + told.stderr
    table = told.stdout.partition("What was published, in order")[2]
    places = [table.index(kind) for kind in STORY]
    assert places == sorted(places)
    assert table.count("agreement agrees") == 2
    assert "rag_" not in told.stdout  # a grant's id is as secret as its link
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []


@pytest.fixture
def dev(temporary):
    process = subprocess.Popen([GATEWAY, "dev"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    yield process
    process.kill()
    process.communicate()


def test_dev_prints_commands_that_work_when_pasted_and_ends_on_ctrl_c(dev, temporary, processes_in):
    to_paste = []
    while len(to_paste) < 3:
        line = dev.stdout.readline()
        assert line, "it ended"
        if line.startswith("curl "):
            to_paste.append(line)
    watched, opened, granted = (json.loads(paste(line)) for line in to_paste)

    assert watched["status"] == "accepted"
    assert opened["outcome"] == "applied"
    assert granted["handoffId"] == opened["handoffId"]
    assert re.match(r"http://127\.0\.0\.1:\d+/", granted["url"])
    dev.send_signal(signal.SIGINT)
    said, _ = dev.communicate(timeout=60)
    assert dev.returncode == 0, said
    assert "authorization.action_required" in said
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []


def paste(line):
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
