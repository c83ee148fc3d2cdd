"""Virtual time, for the tests with its mark: a wait of the event loop ends at once if nothing else runs."""

import asyncio

import looptime


def pytest_asyncio_loop_factories(item):
    """Return the event loop of a test. The nearest mark counts, so `virtual_time(False)` excludes a test of a file."""
    mark = item.get_closest_marker("virtual_time")
    is_virtual = mark is not None and mark.args != (False,)
    return {"loop": looptime.new_event_loop if is_virtual else asyncio.new_event_loop}
