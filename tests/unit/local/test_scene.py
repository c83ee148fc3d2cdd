"""A wait of a scene."""

from types import SimpleNamespace

import pytest

from local.event_listener import Listener
from local.scene.scene import Scene


class Unreadable:
    async def getmany(self, timeout_ms):
        raise ValueError("no event")


async def never():
    return False


async def test_a_wait_fails_with_the_error_of_the_listener():
    listener = Listener(Unreadable(), print)
    async with listener.in_background():
        with pytest.raises(ValueError, match="no event"):
            await Scene.until(SimpleNamespace(listener=listener), never, 60, "an event")
