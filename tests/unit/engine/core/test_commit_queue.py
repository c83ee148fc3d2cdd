import asyncio
import gc

import pytest

from consumers.engine.core.commit_queue import CommitQueue, PendingCommit
from consumers.engine.interface import PartitionLost


def pending(offset, size=1, waiter=None):
    return PendingCommit((), None, offset, size, waiter)


@pytest.fixture
def queue():
    return CommitQueue(results=3, size=100)


def test_batches_are_first_in_first_out_and_bounded(queue):
    for offset in range(5):
        queue.put(pending(offset))
    assert [item.offset for item in queue.next_batch()] == [0, 1, 2]
    queue.committed()
    assert [item.offset for item in queue.next_batch()] == [3, 4]
    assert not queue.has_pending
    assert not queue.is_flushed
    queue.committed()
    assert queue.is_flushed


def test_a_batch_ends_at_its_bytes_and_always_carries_one(queue):
    queue.put(pending(0, size=500))
    queue.put(pending(1, size=1))
    assert [item.offset for item in queue.next_batch()] == [0]


def test_there_is_room_for_two_batches(queue):
    queue.put(pending(0, size=199))
    assert queue.has_room
    queue.put(pending(1, size=1))
    assert not queue.has_room
    queue.next_batch()
    assert queue.has_room


def test_many_batches_leave_the_same_room(queue):
    for offset in range(201):
        queue.put(pending(offset))
        queue.next_batch()
        queue.committed()
    queue.put(pending(201, size=199))
    assert queue.has_room
    queue.put(pending(202, size=1))
    assert not queue.has_room


async def test_waiters_are_resolved_after_the_commit(queue):
    waiter = asyncio.get_running_loop().create_future()
    queue.put(pending(None, waiter=waiter))
    queue.next_batch()
    assert not waiter.done()
    queue.committed()
    assert waiter.result() is None


async def test_waiters_get_partition_lost_in_flight_or_not(queue):
    loop = asyncio.get_running_loop()
    in_flight, queued = loop.create_future(), loop.create_future()
    queue.put(pending(None, waiter=in_flight))
    queue.next_batch()
    queue.put(pending(None, waiter=queued))
    queue.fail()
    for waiter in (in_flight, queued):
        with pytest.raises(PartitionLost):
            waiter.result()
    queue.committed()
    assert not queue.has_pending
    queue.put(pending(2, size=199))
    assert queue.has_room, "the lost results take no room"


async def test_a_cancelled_waiter_is_ignored(queue):
    waiter = asyncio.get_running_loop().create_future()
    queue.put(pending(None, waiter=waiter))
    queue.next_batch()
    waiter.cancel()
    queue.committed()
    queue.fail()


async def test_a_failed_waiter_that_nobody_awaits_is_not_reported(queue):
    reported = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
    queue.put(pending(None, waiter=loop.create_future()))
    queue.next_batch()
    queue.fail()
    queue.committed()  # drops the batch, and with it the last reference to the future
    gc.collect()
    assert reported == []
