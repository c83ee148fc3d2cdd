"""A wait counts from the answer, however long Collate took to answer."""

import pytest

from consumers.engine import RetryAt
from schemas.commands import AuthorizationWatch, HandoffRequest
from schemas.enums import EventType

CREATE = "/manual-handoffs$"


class SlowCollate:
    """Collate's client, for which each call takes some seconds more."""

    def __init__(self, collate, queue, seconds):
        self._collate, self._queue, self._seconds = collate, queue, seconds

    def __getattr__(self, name):
        call = getattr(self._collate, name)

        async def slow(*args, **kwargs):
            result = await call(*args, **kwargs)
            self._queue.advance(self._seconds)
            return result

        return slow


@pytest.fixture
def slow_queue(make_queue):
    queue = make_queue()
    queue.sim.clock.freeze()  # only calls take time, not this machine
    connect = queue.connect
    queue.connect = lambda queue: SlowCollate(connect(queue), queue, 12.0)
    queue.restart()
    return queue


@pytest.mark.parametrize("call", [{"method": "GET"}, {"method": "POST", "path": CREATE}])
async def test_retry_after_counts_from_the_answer(slow_queue, call):
    slow_queue.sim.fault("answer", status=503, retryAfter="1", count=1, **call)
    slow_queue.send(HandoffRequest())
    result = await slow_queue.invoke()
    assert isinstance(result, RetryAt)
    assert 0.9 < result.at - slow_queue.now() < 1.2
    (waiting,) = slow_queue.events(EventType.COMMAND_WAITING)
    assert waiting.data.until.timestamp() > slow_queue.now()


@pytest.mark.parametrize("call", [{"method": "GET"}, {"method": "POST", "path": CREATE}])
async def test_a_backoff_counts_from_the_answer(slow_queue, call):
    slow_queue.sim.fault("reset", count=1, **call)
    slow_queue.send(HandoffRequest())
    result = await slow_queue.invoke()
    assert 0.0 < result.at - slow_queue.now() < 0.3


async def test_the_next_observation_counts_from_the_answer(slow_queue):
    slow_queue.send(AuthorizationWatch())
    await slow_queue.drain()
    slow_queue.sim.fault("answer", method="GET", status=503, retryAfter="900", count=1)
    failed = await slow_queue.observe()
    assert failed.timer_at - slow_queue.now() > 899.0
    assert (await slow_queue.observe()).timer_at > slow_queue.now()
