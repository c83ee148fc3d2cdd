"""The programs of docs/examples: a new life of an authorization, whose numbers begin again with another id."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
DAY = 86_400_000


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def record(sequence, at):
    headers = [("ce_sequence", b"%020d" % sequence), ("ce_type", b"t")]
    return SimpleNamespace(key=b"auth_1", headers=headers, value=json.dumps({}).encode(), timestamp=at)


async def read(monkeypatch, state, events):  # noqa: C901 - a consumer in memory
    """Let the subscriber join with this state, and read these events; return what it yields."""
    subscriber = example("subscriber")

    class Consumer:
        def __init__(self, *topics, **_):
            self.records = {"events": events, "authorizations": state}[topics[0]] if topics else []
            self.at = 0

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            pass

        def assignment(self):
            return [0]

        async def end_offsets(self, partitions):
            return {0: len(state)}

        def seek(self, partition, offset):
            pass

        async def position(self, partition):
            return self.at

        async def getmany(self, **_):
            self.at = len(self.records)
            return {0: self.records}

        async def __aiter__(self):
            for one in self.records:
                yield one

    monkeypatch.setattr(subscriber, "AIOKafkaConsumer", Consumer)
    return [(kind, sequence) async for _, kind, sequence, _ in subscriber.follow("", "")]


async def test_the_subscriber_accepts_a_new_life_and_drops_what_its_state_includes(monkeypatch):
    events = [record(number, at) for number, at in ((1, 0), (2, 5), (3, 9), (1, DAY + 9), (2, DAY + 10), (2, DAY + 10))]
    assert await read(monkeypatch, [record(2, 5)], events) == [("state", 2), ("t", 3), ("t", 1), ("t", 2)]
    with pytest.raises(RuntimeError, match="between 0 and 2 are lost"):
        await read(monkeypatch, [record(2, 5)], [record(2, 2 * DAY)])


def test_the_receiver_looks_for_missing_events_in_the_present_life_alone(tmp_path):
    receiver = example("webhook_receiver")
    store = receiver.Store(tmp_path / "events.db")

    def add(life, sequence):
        event = SimpleNamespace(
            id=f"{life}-{sequence}", authorization_id="auth_1", sequence=sequence, attributes={}, data={}
        )
        return store.add(event)

    first = [add("one", number) for number in (1, 2, 2, 4, 3, 5)]
    assert first == [(True, False), (True, False), (False, False), (True, True), (True, False), (True, False)]
    assert [add("two", number) for number in (1, 2, 4)] == [(True, False), (True, False), (True, True)]
