"""What a receiver gets from a deliverer that works, over real Kafka."""

import json

import pytest

from local.processes.run import Run
from local.webhook_receiver import Reply, always
from schemas.events import CommandFinished


@pytest.fixture
def run():
    """A run that starts the installed program, because no page's lines start a deliverer."""
    with Run("test") as run:
        yield run


async def test_a_flood_of_one_callers_events_does_not_delay_those_of_another(webhooks, events, receiver, eventually):
    receiver.behave = always(Reply(seconds=0.02))
    webhooks.subscribe("billing", receiver.url, max_in_flight=1)
    for number in range(160):  # in four partitions, which take a slot in turn
        finished = CommandFinished.EXAMPLE | {"caller": "flood"}
        await events.write(f"auth_{number}", CommandFinished.from_record(json.dumps(finished).encode()))
    await events.write("another")
    await events.write("auth_1")
    await webhooks.start()
    await eventually(lambda: len(receiver.accepted) >= 162)
    order = [(one.authorization, one.sequence) for one in receiver.accepted]
    assert order.index(("another", 1)) < 40
    assert receiver.verdict(events.sent).is_good, "in order for each authorization"


async def test_only_the_wanted_events_are_delivered(webhooks, events, receiver, eventually):
    webhooks.subscribe(
        "billing",
        receiver.url,
        types=[CommandFinished.TYPE],
        callers=["intake"],
        metadata={"case": ["case-0042", "case-0043"]},
    )
    await webhooks.start()
    finished = CommandFinished.EXAMPLE
    await events.write("auth_1")
    for change in ({}, {"caller": "other"}, {"metadata": {"case": "case-1"}}, {"metadata": None}):
        members = {name: value for name, value in (finished | change).items() if value is not None}
        await events.write("auth_1", CommandFinished.from_record(json.dumps(members).encode()))
    await events.write("auth_1", CommandFinished.from_record(json.dumps(finished).encode()))
    await eventually(lambda: len(receiver.accepted) >= 2)
    assert [one.sequence for one in receiver.accepted] == [2, 6]
