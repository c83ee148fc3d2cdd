"""The rules of a follower: where it begins, when it is caught up, and what it does after a failure."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from adapters.kafka.topic_follower import TopicFollower

from .memory_topic import MemoryTopic

pytestmark = pytest.mark.usefixtures("quick_followers")


class Following:
    """A running follower, with the offsets that it has taken, its problems and its beats."""

    def __init__(self, topic, positions):
        self.taken, self.problems, self.beats = [], [], 0
        self.follower = TopicFollower(
            "events", topic.open, self._take, positions=positions, on_check=self.problems.append
        )

    def _take(self, partition, record):
        self.taken.append((partition, record.offset))

    def beat(self, wait_seconds=0.0):
        assert wait_seconds > 0
        self.beats += 1


@pytest.fixture
def topic():
    topic = MemoryTopic()
    topic.append(0)
    return topic


@pytest.fixture
def follow():
    @asynccontextmanager
    async def follow(topic, positions):
        following = Following(topic, positions)
        task = asyncio.create_task(following.follower.run(following.beat))
        yield following
        task.cancel()
        await asyncio.wait({task})

    return follow


async def test_it_takes_every_record_from_the_given_positions_in_order(topic, follow, eventually):
    topic.append(0)
    topic.append(0)
    async with follow(topic, {0: 1, 1: 0}) as following:
        await eventually(lambda: following.follower.is_caught_up)
        topic.append(1)
        await eventually(lambda: following.taken == [(0, 1), (0, 2), (1, 0)])
        assert following.follower.positions == {0: 3, 1: 1}
        assert following.problems[-1] is None


async def test_without_positions_it_begins_at_the_end(topic, follow, eventually):
    async with follow(topic, None) as following:
        await eventually(lambda: following.follower.is_caught_up)
        topic.append(0)
        await eventually(lambda: following.taken == [(0, 1)])


async def test_after_a_failure_it_continues_at_the_last_position(topic, follow, eventually):
    async with follow(topic, None) as following:
        await eventually(lambda: following.follower.is_caught_up)
        topic.fails = True
        await eventually(lambda: following.problems[-1] == "ConnectionError: its reader is reopened")
        beats = following.beats
        await eventually(lambda: following.beats > beats + 2)
        topic.append(0)
        topic.fails = False
        await eventually(lambda: following.taken == [(0, 1)] and following.follower.is_caught_up)


async def test_a_stuck_reader_is_reported_and_then_reopened(topic, follow, eventually):
    async with follow(topic, None) as following:
        await eventually(lambda: following.follower.is_caught_up)
        topic.is_stuck = True
        topic.append(0)
        await eventually(lambda: following.problems[-1] == "behind the end of the topic")
        await eventually(lambda: topic.opened >= 2)


async def test_with_unknown_ends_it_still_reads_but_is_not_caught_up(topic, follow, eventually):
    topic.hides_ends = True
    async with follow(topic, {0: 0, 1: 0}) as following:
        await eventually(lambda: following.taken == [(0, 0)])
        topic.append(1)
        await eventually(lambda: following.taken == [(0, 0), (1, 0)])
        assert not following.follower.is_caught_up


async def test_at_the_end_of_the_topic_it_is_caught_up_before_a_read_returns(topic, follow, eventually):
    topic.holds_reads = True
    async with follow(topic, None) as following:
        await eventually(lambda: following.follower.is_caught_up)
