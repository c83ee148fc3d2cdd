"""`make demo` and `make dev`, as a user runs them."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from local.processes.patience import slowness

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "demo.svg"
RIG = (sys.executable, "-m", "local")
EVENTS = (
    "authorization.action_required",
    "handoff.opened",
    "handoff.at_risk",
    "handoff.access_changed",
    "handoff.access_granted",
    "handoff.closed",
    "handoff.reconciled",
    "authorization.settled",
)
VERBS_OF_AN_OPERATOR = (
    "gateway config",
    'GATEWAY_ADMIN__PORT=${WORKER_ADMIN##*:} gateway check --for worker | grep -q "ok *process"',
    "gateway topics plan",
    "gateway migrate",
    "gateway timeline auth_one",
    "gateway dead-letters list",
    "gateway top --once",
    "gateway audit export",
    "gateway deliverer test local",
)


def test_the_demo_shows_all_events_and_leaves_nothing(temporary, processes_in, tmp_path_factory, monkeypatch):
    monkeypatch.setenv("COLUMNS", "260")
    drawn = tmp_path_factory.mktemp("picture") / "demo.svg"
    done = subprocess.run([*RIG, "demo", "--screenshot", drawn], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    # A long sentence goes on below its beginning.
    lines = [line for line in done.stdout.splitlines() if line.startswith((" " * 7 + "event ◀", " " * 40))]
    events = " ".join(" ".join(lines).split())
    places = [events.index(f"event ◀ {kind}") for kind in EVENTS]
    assert places == sorted(places)
    assert events.count("agrees with the payer's truth") == 2
    assert "Collate waits for a person: complete payer interaction" in events
    assert "one-time code" in done.stdout
    assert "one-time code" not in events, "Collate's message for the operator is in no event"
    assert re.search(r"handoff\.claimed jo\.miller has handoff \S+ in hand \(signed in as people:jo\.miller\)", events)
    assert "rag_" not in done.stdout  # a grant's id is as secret as its link
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []

    assert steps(PICTURE) == steps(drawn), "write it again: make demo ARGS='--screenshot docs/images/demo.svg'"
    assert len(steps(drawn)) == 10
    for svg in (PICTURE, drawn):
        assert set(re.findall(r"url\((.)", svg.read_text())) == {"#"}, "the picture loads something"
        assert "rag_" not in svg.read_text()


def steps(svg):
    """Return the first text of each step in a picture of the demo."""
    texts = [text.text.replace("\xa0", " ") for text in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
    begins = [at for at, text in enumerate(texts) if re.match(r" *\d+  \w", text)]
    return [" ".join(texts[at : at + 2]).strip() for at in begins]


@pytest.fixture
def dev(temporary):
    process = subprocess.Popen(
        [*RIG, "dev"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process
    process.kill()
    process.communicate()


def test_dev_prints_working_commands_and_ends_on_ctrl_c(dev, temporary, processes_in, eventually_blocking):
    to_paste = []
    while len(to_paste) < 4:
        line = dev.stdout.readline()
        assert line, "the process has ended"
        if line.startswith("curl "):
            to_paste.append(line)
    watched, opened, granted, person = (json.loads(paste(line)) for line in to_paste)

    assert watched["status"] == "accepted"
    assert opened["outcome"] == "applied"
    assert granted["handoffId"] == opened["handoffId"]
    assert person["person"] == "jo.miller"
    assert re.match(r"http://127\.0\.0\.1:\d+/", granted["url"])
    (received,) = temporary.rglob("receiver.log")
    opening = re.compile(r"collate-gateway\.handoff\.opened\.v1 auth_one [0-9]+ new")
    eventually_blocking(lambda: opening.search(received.read_text()), 90)
    assert "refused" not in received.read_text(), "each signature is right"
    (environment,) = temporary.rglob("env.sh")
    assert environment.stat().st_mode & 0o077 == 0
    for verb in VERBS_OF_AN_OPERATOR:
        shell = f"env -i HOME=$HOME bash -c '. {environment} && {verb}'"
        done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{verb}: {done.stdout}{done.stderr}"

    shell = f". {environment} && restart_help | grep 'gateway worker$'"
    start_line = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True).stdout
    subprocess.run(["bash", "-c", f". {environment} && kill -9 $WORKER_PID"], check=True)
    assert "worker has ended" in next(line for line in dev.stdout if "has ended" in line)
    with subprocess.Popen(
        ["bash", "-c", f". {environment} && exec env {start_line}"], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
    ) as again:
        ready = f". {environment} && curl -sf $WORKER_ADMIN/readyz"
        eventually_blocking(
            lambda: subprocess.run(["bash", "-c", ready], capture_output=True, check=False).returncode == 0
        )
        again.terminate()

    subprocess.run(["bash", "-c", f". {environment} && kill -9 $KAFKA_PID"], check=True)
    ended = next(line for line in dev.stdout if "has ended" in line)
    assert "Apache Kafka has ended; everything else runs on." in ended
    dev.stdin.write("\n")
    dev.stdin.flush()
    pressed_at = time.monotonic()
    # A library's line about the broker would come before these.
    assert "Apache Kafka is starting." in dev.stdout.readline()
    assert time.monotonic() - pressed_at < 2 * slowness()
    assert "Apache Kafka runs again." in dev.stdout.readline()
    dev.send_signal(signal.SIGINT)
    output, _ = dev.communicate()
    assert dev.returncode == 0, output
    assert processes_in(temporary) == []
    assert list(temporary.iterdir()) == []


def paste(line):
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
