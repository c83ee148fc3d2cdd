"""Time: a clock that only a test moves, and virtual time, in which a wait ends at once if nothing else runs."""

import asyncio

import looptime
import pytest

from adapters.kafka import topic_follower


def pytest_asyncio_loop_factories(item):
    """Return the event loop of a test. The nearest mark counts, so `virtual_time(False)` excludes a test of a file."""
    mark = item.get_closest_marker("virtual_time")
    is_virtual = mark is not None and mark.args != (False,)
    return {"loop": looptime.new_event_loop if is_virtual else asyncio.new_event_loop}


class Clock:
    """A clock that only its test moves."""

    now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def quick_followers(monkeypatch):
    """Followers of topics that wait for a fraction of their times."""
    for name, seconds in {
        "CHECK_EVERY_SECONDS": 0.01,
        "LAGGING_SECONDS": 0.05,
        "REOPEN_SECONDS": 0.2,
        "BACKOFF_SECONDS": 0.01,
    }.items():
        monkeypatch.setattr(topic_follower, name, seconds)
