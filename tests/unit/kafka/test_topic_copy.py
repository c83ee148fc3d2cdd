"""The extents of partitions are asked for without a fetch: the ingress may not read the commands that it writes."""

from types import SimpleNamespace

from adapters.kafka import topic_reader
from adapters.kafka.topic_copy import Extent, extents_of


async def test_the_extents_of_partitions_need_no_fetch(monkeypatch):
    opened = []

    async def nothing(*_):
        pass

    async def offsets(partitions):
        return {partition: partition.partition + 3 for partition in partitions}

    def consumer(_kafka, **options):
        opened.append(options)
        methods = {"start": nothing, "assign": lambda _: None, "pause": lambda *_: None}
        return SimpleNamespace(**methods, beginning_offsets=offsets, end_offsets=offsets)

    monkeypatch.setattr(topic_reader, "groupless_consumer", consumer)
    monkeypatch.setattr(topic_reader, "bounded_stop", nothing)
    assert await extents_of(None, {"a": 2, "b": 1}, committed=True) == {
        "a": [Extent(3, 3), Extent(4, 4)],
        "b": [Extent(3, 3)],
    }
    # aiokafka fetches in the background once a partition has a position; with another reset it gets one at once.
    assert opened == [{"reset": "none", "is_committed": True}]
