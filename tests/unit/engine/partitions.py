"""A partition of an engine without Kafka, its dispatcher alone, and the fakes that they run on."""

import asyncio
import time
from types import SimpleNamespace

from aiokafka import ConsumerRecord, TopicPartition
from prometheus_client import CollectorRegistry

from consumers.engine.context import EngineContext, PartitionContext
from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.core.failure_ratio import FailureRatioLimit
from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.partition_lifecycle import PartitionEvent
from consumers.engine.core.progress import encode
from consumers.engine.dispatcher import Dispatcher
from consumers.engine.engine import Engine
from consumers.engine.gauges import set_gauges
from consumers.engine.interface import PartitionLost
from consumers.engine.kafka.membership import Generation
from consumers.engine.loop_lag import LoopLag
from consumers.engine.partition import Partition
from consumers.engine.settings import EngineSettings
from consumers.engine.startup import StartedPartition
from consumers.engine.state_store import StateStore
from runtime.metrics import EngineMetrics

SOURCE, STATE = TopicPartition("commands", 0), TopicPartition("state", 0)
NOTHING = Committed(0, "")


def settings_of(**settings):
    return EngineSettings("commands", "state", 1, "group", dict, **settings)


def started(transactions=None, committed=NOTHING, states=None):
    return StartedPartition(transactions, committed, StateStore() if states is None else states, {}, "topic id")


def fetched(offset, key=b"k", *, timestamp=0.0, size=0):
    return ConsumerRecord("commands", 0, offset, int(timestamp * 1000), 0, key, bytes(size), None, 1, 1, ())


def begin_session(partition, start):
    """Begin a session as `Partition.run` does; an earlier session counts as failed."""
    if partition.session is not None:
        partition._apply(PartitionEvent.FAILED)
        partition.session = None
        partition._apply(PartitionEvent.DISCARDED)
    partition._apply(PartitionEvent.START_BEGAN)
    return partition._begin_session(start)


def partition_of(handler, **settings):
    """Return a partition that has not started, with one slot."""
    metrics = EngineMetrics(CollectorRegistry())
    context = EngineContext(settings_of(**settings), handler, ConcurrencyLimiter(1), metrics, LoopLag())
    return Partition(SOURCE, STATE, Consumer(), Membership(), context)


def suspended(monkeypatch, seconds):
    """Let the machine be suspended for some seconds: only the steady clock counts them."""
    real = time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda clock: real(clock) + seconds * (clock == time.CLOCK_BOOTTIME))


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)


class Consumer:
    """Knows whether it is paused, and the end of the log."""

    def __init__(self):
        self.paused = False
        self.sought = []
        self.end = self.next = 0
        self.polled_at = time.time() * 1_000

    def pause(self, *sources):
        self.paused = True

    def resume(self, *sources):
        self.paused = False

    def seek(self, source, offset):
        self.sought.append(offset)

    def highwater(self, source):
        return self.end

    def last_poll_timestamp(self, source):
        return self.polled_at

    async def position(self, source):
        return self.next

    def partitions_for_topic(self, topic):
        return {0}


class Membership:
    is_trusted, is_confirming = True, False

    def assigned(self):
        return Generation(1, "member")

    async def confirm(self):
        raise PartitionLost


class Transactions:
    """Notes the offsets in each transaction; a test may delay one."""

    def __init__(self):
        self.carried = []
        self.progress = b""
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.is_expired = False

    async def commit(self, batch, progress, second_source_at):
        self.progress = encode(progress, "topic id")
        self.carried.append([pending.offset for pending in batch])
        await self.may_end.wait()
        if self.is_expired:
            raise TimeoutError
        return 0.5

    def expire(self):
        self.is_expired = True
        self.may_end.set()


class RunningPartition:
    """One running partition of an engine, and its metrics."""

    def __init__(self, handler, membership, **settings):
        self.registry = CollectorRegistry()
        self.consumer, self.transactions, self.handler = Consumer(), Transactions(), handler
        self.engine = Engine(settings_of(**settings), handler, EngineMetrics(self.registry))
        self.partition = self.engine.add(SOURCE, self.consumer, membership)
        self.partition.assigned(Generation(1, "member"))
        self.session = begin_session(self.partition, started(self.transactions))
        self.offset = 0
        self.committing = asyncio.create_task(self.partition._commit_while_valid())

    def feed(self, count, *, timestamp=0.0, size=0):
        offsets = range(self.offset, self.offset + count)
        records = [fetched(offset, b"%d" % offset, timestamp=timestamp, size=size) for offset in offsets]
        self.offset += count
        self.consumer.end = max(self.consumer.end, self.offset)
        self.partition.feed(records)

    async def fail(self):
        """Discard the session as after a failure."""
        self.partition._apply(PartitionEvent.FAILED)
        await self.partition._discard(None)

    def metric(self, name, **labels):
        set_gauges(self.engine.partitions, self.engine.settings.wait_reasons, self.engine._metrics)
        return self.registry.get_sample_value(f"collate_gateway_{name}", labels)

    async def close(self):
        self.committing.cancel()
        if self.partition.session is not None:
            await self.partition.session.close()


class QueuedResults:
    """The results of a dispatcher: they are committed when a test calls `commit`."""

    def __init__(self):
        self.pending = []

    def commit(self):
        for pending in self.pending:
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_result(None)

    def fail(self):
        for pending in self.pending:
            if pending.waiter is not None and not pending.waiter.done():
                pending.waiter.set_exception(PartitionLost())
                pending.waiter.exception()

    @property
    def offsets(self):
        return [pending.offset for pending in self.pending if pending.offset is not None]

    @property
    def dead_letters(self):
        return sum(pending.record.dead_lettered for pending in self.pending if pending.record is not None)


def make_dispatcher(handler, limits, clocks, *, limiter=None, key_queues=None, registry=None):
    """Make the dispatcher of a running partition; its `queued` are the results, which no transaction commits."""
    dispatcher = Dispatcher(
        PartitionContext(None, None, Membership(), FailureRatioLimit(1.0, 100), int, float),
        EngineContext(
            settings_of(limits=limits),
            handler,
            limiter or ConcurrencyLimiter(100),
            EngineMetrics(registry or CollectorRegistry()),
            SimpleNamespace(is_late=False),
            clocks,
        ),
        KeyQueues() if key_queues is None else key_queues,
        StateStore(),
    )
    dispatcher.queued = QueuedResults()
    dispatcher.results.put = dispatcher.queued.pending.append
    dispatcher.is_suspended = False
    return dispatcher
