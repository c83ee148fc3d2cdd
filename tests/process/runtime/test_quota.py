"""A slow machine for some processes: by a control group (root), and by signals."""

import subprocess
import sys
import time

import psutil
import pytest

from local.processes import quota

SHARE, SECONDS = 0.1, 2.0


@pytest.fixture
def spinning():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def used(process):
    times = process.cpu_times()
    return times.user + times.system


@pytest.mark.parametrize("has_groups", [True, False], ids=["control group", "signals"])
def test_a_process_gets_its_share_and_then_all_of_it_again(spinning, has_groups, monkeypatch, tmp_path):
    if not has_groups:
        monkeypatch.setattr(quota, "GROUPS", tmp_path / "none")
    with quota.limited(lambda: [spinning.pid], SHARE) as how:
        began, before = time.monotonic(), used(spinning)
        time.sleep(SECONDS)
        share = (used(spinning) - before) / (time.monotonic() - began)
    if has_groups and how == "signals":
        pytest.skip("this process may not create a control group")
    # One process may use the share of both cores.
    assert share < 3 * SHARE
    before = used(spinning)
    while used(spinning) < before + SECONDS / 4:
        time.sleep(0.05)
