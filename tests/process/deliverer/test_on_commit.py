"""What the deliverer logs and counts of an event's end is said by the commit of that end, never by the handler."""

import pytest
from structlog.testing import capture_logs

from consumers.deliverer.delivery import Delivered, NotDelivered
from tests.process.deliverer.test_handler import DAY, DeliveryQueue, Numbers, QueueInvocation

FAILED = NotDelivered("status_5xx", 500)


class Ends(Numbers):
    def __init__(self):
        self.said = []

    def delivered(self, age_seconds):
        self.said.append("delivered")

    def dead_lettered(self):
        self.said.append("dead_lettered")


@pytest.fixture
def queue():
    queue = DeliveryQueue()
    queue.handler.numbers = Ends()
    queue.append()
    return queue


async def handled(queue):
    """Handle the event without a commit; return what was said, and the result."""
    with capture_logs() as lines:
        result = await queue.handler.on_record(QueueInvocation(queue), queue.records[0])
    return [*queue.handler.numbers.said, *ended(lines)], result


def ended(lines):
    return [line["event"] for line in lines if line["event"] != "deliverer.event_not_delivered"]


def said_by(queue, result):
    with capture_logs() as lines:
        for say in result.on_commit:
            say()
    return [*queue.handler.numbers.said, *ended(lines)]


async def test_a_delivery_is_counted_by_its_commit(queue):
    queue.answers = [Delivered(204)]
    said, result = await handled(queue)
    assert said == []
    assert said_by(queue, result) == ["delivered"]


async def test_a_dead_letter_is_said_by_its_commit(queue):
    queue.answers = [FAILED, FAILED]
    await queue.invoke()
    queue.time += DAY
    said, result = await handled(queue)
    assert said == []
    assert said_by(queue, result) == ["dead_lettered", "deliverer.event_dead_lettered"]


async def test_an_unreadable_record_is_said_by_its_commit(queue):
    queue.records[0] = queue.records[0]._replace(headers=(), value=b"broken")
    said, result = await handled(queue)
    assert said == []
    assert said_by(queue, result) == ["dead_lettered", "deliverer.event_dead_lettered"]
