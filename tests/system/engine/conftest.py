"""Laboratories on one and on three brokers."""

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
async def laboratory(broker, prefix, tmp_path):
    """One broker, four partitions, sessions of two seconds."""
    orders = Orders(broker, prefix, str(tmp_path / "journal"), "one", session_seconds=2.0, heartbeat_seconds=0.3)
    async with Laboratory(orders, tmp_path) as laboratory:
        yield laboratory


@pytest.fixture
async def laboratory3(kafka3, prefix, tmp_path):
    """Three brokers, every topic on all of them."""
    orders = Orders(kafka3.bootstrap, prefix, str(tmp_path / "journal"), "one")
    async with Laboratory(orders, tmp_path, replication=3) as laboratory:
        yield laboratory


@pytest.fixture
def no_regular_copies(monkeypatch):
    async def never(copier, membership):
        await asyncio.Event().wait()

    monkeypatch.setattr(ProgressCopier, "watch", never)
