"""`gateway demo` and `gateway dev`, as a person runs them."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "demo.svg"
GATEWAY = Path(sys.executable).with_name("gateway")
STORY = (
    "authorization.action_required",
    "handoff.opened",
    "handoff.access_granted",
    "handoff.closed",
    "handoff.reconciled",
    "authorization.settled",
)


def test_the_demo_tells_the_whole_story_and_leaves_nothing(temporary, processes_in, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    drawn = tmp_path_factory.mktemp("picture") / "demo.svg"
    told = subprocess.run(
        [GATEWAY, "demo", "--screenshot", drawn], capture_output=True, text=True, timeout=110, check=False
    )

    assert told.returncode == 0, told.stdout + told.stderr
    table = told.stdout.partition("What was published, in order")[2]
    places = [table.index(kind) for kind in STORY]
    assert places == sorted(places)
    assert table.count("agreement agrees") == 2
    printed = told.stdout.partition("gateway timeline auth_demo")[2]
    readme = (Path(__file__).parents[3] / "README.md").read_text().partition("`gateway timeline auth_demo`")[2]
    assert timeline(printed) == timeline(readme.partition("## ")[0])
    assert len(timeline(printed)) > 15
    assert "rag_" not in told.stdout  # a grant's id is as secret as its link
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []

    assert steps(PICTURE) == steps(drawn), "docs/images/demo.svg tells another story; README says how to draw it anew"
    assert len(steps(drawn)) == 9
    for svg in (PICTURE, drawn):
        assert set(re.findall(r"url\((.)", svg.read_text())) == {"#"}, "it would load something"
        assert "rag_" not in svg.read_text()


def steps(svg):
    """What a picture of the demo says at the beginning of each step."""
    texts = [text.text.replace("\xa0", " ") for text in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
    begins = [at for at, text in enumerate(texts) if re.match(r" *\d  \w", text)]
    return [" ".join(texts[at : at + 2]).strip() for at in begins]


def timeline(text):
    """The entries of a printed timeline without what differs: times, ids, and what a look happened to find first."""
    entries = re.findall(r"^(?:\d+|·) +[\d:.]{12}  (\S+) +(?:[0-9a-f]{8})?  (.+)$", text, re.MULTILINE)
    assert entries, text
    moving = re.compile(r"\d+ ms|version \d+|(?<=_)[0-9a-f]{11}|[\d-]{10}T[\d:]{8}Z")
    return sorted((kind, moving.sub("…", says)) for kind, says in entries if kind != "authorization.changed")


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
