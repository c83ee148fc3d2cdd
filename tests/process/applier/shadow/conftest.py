"""A key queue of a shadow: its client is the client of `writes = off`."""

import pytest

from adapters.collate.client import CollateClient


@pytest.fixture
def collate_settings():
    return {"writes": "off"}


@pytest.fixture
def make_shadow(make_queue, connected):
    assert not isinstance(connected, CollateClient)

    def make(*arguments, **options):
        queue = make_queue(*arguments, **options)
        queue.has_writes = False
        queue.restart()
        return queue

    return make
