"""A projector has caught up although there are always records that it has read and not yet written."""

from collections import Counter

from prometheus_client import CollectorRegistry

from consumers.projector.batch import Batch
from consumers.projector.lag_poller import Poll
from consumers.projector.loop import CAUGHT_UP, ProjectorLoop
from runtime.health import Health
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.process import Process

KEY = ("events", 0)


class Topic:
    """A source, a store and a poller: one record is always read and not written."""

    silent_seconds = 0.0

    def __init__(self):
        self.position = self.end = 0

    async def positions(self):
        return {KEY: self.position}

    def result(self):
        return Poll({}, {KEY: self.end})

    async def heartbeat(self, lag):
        assert lag > 0, "under this load some records always wait"

    @property
    def unwritten(self):
        return Batch(moved={KEY: (self.position - 1, self.position)}, counts=Counter(events=1))


async def has_caught_up(*reports):
    """Report these positions and ends in order; return whether the projector has caught up then."""
    registry = CollectorRegistry()
    process = Process("projector", Health(), Metrics(registry), registry, get_log())
    loop, topic = ProjectorLoop(None, process, schema="model"), Topic()
    for topic.position, topic.end in reports:
        await loop._report_lag(topic, topic, topic, topic.unwritten)
    caught_up = process.health.component(CAUGHT_UP)
    return caught_up is not None and caught_up.state == "ok"


async def test_a_projector_that_has_what_existed_at_the_poll_before_has_caught_up():
    assert await has_caught_up((10, 12), (20, 22))


async def test_a_projector_that_lacks_a_record_of_the_poll_before_has_not():
    assert not await has_caught_up((10, 12), (12, 22))


async def test_one_poll_is_not_enough():
    assert not await has_caught_up((10, 10))
