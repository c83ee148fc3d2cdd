"""A laboratory on one broker; a module with `orders` of its own has another cluster."""

import asyncio
import gc

import pytest

from consumers.engine.progress_copy import ProgressCopier
from tests.chaos.engine_worker import Orders
from tests.chaos.laboratory import Laboratory


def pytest_itemcollected(item):
    # Killed, frozen and cut-off clients leave sockets to the garbage collector, which runs at the end of the module.
    item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="module", autouse=True)
def _their_sockets_end_here():
    yield
    gc.collect()


@pytest.fixture
def orders(broker, prefix, tmp_path):
    """One broker, four partitions, sessions of two seconds."""
    return Orders(broker, prefix, str(tmp_path / "journal"), "one", session_seconds=2.0, heartbeat_seconds=0.3)


@pytest.fixture
async def laboratory(orders, tmp_path):
    async with Laboratory(orders, tmp_path) as laboratory:
        yield laboratory


@pytest.fixture
def no_regular_copies(monkeypatch):
    async def never(copier, membership):
        await asyncio.Event().wait()

    monkeypatch.setattr(ProgressCopier, "watch", never)
