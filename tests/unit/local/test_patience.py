import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from local.processes import patience
from local.processes.patience import Patience, slowness, within


@pytest.fixture
def machine(monkeypatch):
    """Return a function that sets the load of two cores, and one that lets time pass."""
    now = [100.0]
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(patience, "PROBE_SECONDS", 1e-9)
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)

    def load(tasks):
        monkeypatch.setattr(os, "getloadavg", lambda: (tasks, 0.0, 0.0))

    def passes(seconds):
        now[0] += seconds

    load(0.0)
    return load, passes


def test_a_bound_grows_with_the_load_and_never_shrinks(machine):
    load, _ = machine
    assert slowness() == 1.0
    load(1.0)
    assert slowness() == 1.0
    load(30.0)
    assert slowness() == 15.0


def test_a_wait_ends_after_its_bound_times_the_highest_load(machine):
    load, passes = machine
    wait = Patience(10.0)
    passes(9.9)
    assert not wait.is_over
    passes(0.6)
    load(6.0)
    assert not wait.is_over
    load(2.0)
    assert not wait.is_over, "the slowest moment counts: it lasted longer than this one"
    passes(20.0)
    assert wait.is_over


async def test_a_block_ends_after_its_bound_times_the_highest_load(monkeypatch):
    monkeypatch.setattr(patience, "slowness", lambda: 20.0)
    async with within(0.02):
        await asyncio.sleep(0.1)
    with pytest.raises(TimeoutError):
        async with within(0.02):
            await asyncio.Event().wait()


def test_a_bound_is_not_over_on_a_machine_that_runs_a_tenth_of_the_time():
    """The load does not show a quota of processor time. Here stops and continues stand for it."""
    program = (
        "import os\nfrom local.processes.patience import slowness\nos.getloadavg = lambda: (0.0, 0.0, 0.0)\n"
        "print('started', flush=True)\nprint(max(slowness() for _ in range(50)))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        while process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.045)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.005)
        assert float(process.stdout.read()) > 5
