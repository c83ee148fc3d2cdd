import os
import time

import pytest

from local.processes.patience import Patience, slowness


@pytest.fixture
def machine(monkeypatch):
    """Return a function that sets the load of two cores, and one that lets time pass."""
    now = [100.0]
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

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


def test_a_wait_ends_after_its_bound_times_the_present_load(machine):
    load, passes = machine
    patience = Patience(10.0)
    passes(10.5)
    load(6.0)
    assert not patience.is_over
    load(2.0)
    assert patience.is_over
    load(6.0)
    passes(20.0)
    assert patience.is_over
