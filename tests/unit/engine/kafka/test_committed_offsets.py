"""The group's committed offsets: an error of the coordinator is never taken for "nothing committed"."""

from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, UnknownError

from consumers.engine.core.progress import GroupCopy
from consumers.engine.kafka import offsets
from consumers.engine.kafka.offsets import fetch_committed

SOURCE = TopicPartition("commands", 0)


def response(offset, error_code=0, *, row_error=0, partition=0, metadata="topic id"):
    row = (partition, offset, metadata, row_error)
    return SimpleNamespace(error_code=error_code, topics=[("commands", [row])])


class Coordinator:
    """Gives the responses of a test, one after another."""

    def __init__(self, *responses):
        self._responses = list(responses)

    async def ensure_coordinator_known(self):
        pass

    def coordinator_dead(self):
        pass

    async def _send_req(self, request):
        return self._responses.pop(0)


async def fetched(monkeypatch, *responses):
    monkeypatch.setattr(offsets, "_RETRY_SECONDS", 0.0)
    consumer = SimpleNamespace(_coordinator=Coordinator(*responses))
    return (await fetch_committed(consumer, "group", [SOURCE]))[SOURCE]


@pytest.mark.parametrize("code", [14, 15, 16], ids=["loading", "not available", "moved"])
async def test_a_coordinator_that_loads_or_moves_is_asked_again(monkeypatch, code):
    committed = await fetched(monkeypatch, response(-1, code), response(-1, row_error=code), response(41))
    assert committed == GroupCopy(41, "topic id")


async def test_an_offset_that_another_program_committed_names_no_topic(monkeypatch):
    assert await fetched(monkeypatch, response(41, metadata=None)) == GroupCopy(41, "")


async def test_without_an_error_minus_one_is_no_offset(monkeypatch):
    assert await fetched(monkeypatch, response(-1)) is None


@pytest.mark.parametrize("refused", [response(-1, 30), response(-1, row_error=30)], ids=["whole", "one partition"])
async def test_a_lasting_error_is_raised(monkeypatch, refused):
    with pytest.raises(GroupAuthorizationFailedError):
        await fetched(monkeypatch, refused)


async def test_a_response_without_the_partition_is_an_error(monkeypatch):
    with pytest.raises(UnknownError):
        await fetched(monkeypatch, response(41, partition=7))
