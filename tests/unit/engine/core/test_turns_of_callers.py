"""Turns of callers from the key queues to the call budget: real dispatchers, slots and call queue, in virtual time."""

import asyncio
from collections import defaultdict

import pytest
from prometheus_client import CollectorRegistry

from adapters.collate.answers import Deferred
from adapters.collate.call_policy.budget import Bounds, Budget
from adapters.collate.call_policy.calls import Call, CallSignal, Priority
from adapters.collate.call_queue import CallQueue
from consumers.engine.core.concurrency import ConcurrencyLimiter
from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.limits import InvocationLimits
from consumers.engine.interface import Done, Record, RetryAt, Turn
from runtime.clocks import Clocks
from runtime.metrics import Metrics
from schemas.events.wait_reasons import WaitReason
from tests.unit.engine.partitions import make_dispatcher

pytestmark = pytest.mark.virtual_time

LIMITS = InvocationLimits(120.0, 100, 1_000, 1.0, 8.0)
CALLS_PER_SECOND, CALL_SECONDS, SECONDS = 20.0, 0.02, 40.0
CALLS = {"watch": 1, "request": 3}


def turn_of(record):
    caller, kind = record.value.split()
    return Turn(caller.decode(), is_urgent=kind == b"request")


class Partition:
    """A partition without Kafka: a result is finished at once."""

    def __init__(self, handler, limiter, number):
        time = asyncio.get_running_loop().time
        self.number = number
        self._offset = 0
        self.dispatcher = make_dispatcher(
            handler, LIMITS, Clocks(time, time, time), limiter=limiter, key_queues=KeyQueues(turn_of=turn_of)
        )

    def add(self, caller, kind):
        now = asyncio.get_running_loop().time()
        key, value = b"%d" % self._offset, f"{caller} {kind}".encode()
        self.dispatcher.key_queues.add(Record(self.number, self._offset, key, value, (), now), now)
        self._offset += 1
        self.dispatcher.start()


class Worker:
    """Partitions that share slots and a call budget; a record makes its calls, or returns when it may be retried."""

    def __init__(self, *, partitions, slots):
        bounds = Bounds(CALLS_PER_SECOND, 8, 0.25, 5, 5.0, 30.0)
        now = asyncio.get_running_loop().time()
        metrics = Metrics(CollectorRegistry()).collate
        self._calls = CallQueue(Budget(bounds, now, lambda: 0.5), metrics, monotonic=asyncio.get_running_loop().time)
        limiter = ConcurrencyLimiter(slots)
        self.partitions = [Partition(self, limiter, number) for number in range(partitions)]
        self.seconds = defaultdict(list)  # by caller: from the append of each record to its end
        self.calls = 0
        self.greedy = {}

    async def on_record(self, invocation, record):
        caller, kind = record.value.decode().split()
        priority = Priority.URGENT if kind == "request" else Priority.COMMAND
        for _ in range(CALLS[kind]):
            ticket = await self._calls.take(Call(priority, False, str(record.offset), caller))
            if isinstance(ticket, Deferred):
                return RetryAt(invocation.now + ticket.wait_seconds, WaitReason.BUDGET)
            await asyncio.sleep(CALL_SECONDS)
            self._calls.done(ticket, CallSignal.ANSWERED, CALL_SECONDS)
            self.calls += 1
        self.seconds[caller].append(invocation.now - record.timestamp)
        if (again := self.greedy.get(caller)) is not None:
            asyncio.get_running_loop().call_soon(self.partitions[record.partition].add, caller, again)
        return Done()

    def add_backlog(self, caller, kind, records):
        """Keep this number of unfinished records of a caller in every partition."""
        self.greedy[caller] = kind
        for partition in self.partitions:
            for _ in range(records):
                partition.add(caller, kind)

    async def run(self, *callers):
        """Let callers send a record each few seconds, to one partition after the other; return their unfinished."""
        loop = asyncio.get_running_loop()
        end, sent = loop.time() + SECONDS, defaultdict(int)
        for caller, kind, every in callers:
            for number in range(1, int((SECONDS - 10.0) / every)):
                partition = self.partitions[number % len(self.partitions)]
                loop.call_later(number * every, partition.add, caller, kind)
                sent[caller] += 1
        await asyncio.sleep(end - loop.time())
        for partition in self.partitions:
            partition.dispatcher.close()
        self._calls.close()
        return {caller: count - len(self.seconds[caller]) for caller, count in sent.items()}


@pytest.mark.parametrize(
    ("partitions", "slots", "greedy", "kind", "records"),
    [
        pytest.param(1, 512, 1, "watch", 500, id="watches"),
        pytest.param(12, 512, 50, "watch", 10, id="watches-of-50-callers"),
        pytest.param(12, 16, 1, "watch", 500, id="few-slots"),
        pytest.param(1, 512, 1, "request", 500, id="requests"),
        pytest.param(12, 512, 20, "request", 10, id="requests-of-20-callers"),
    ],
)
async def test_no_backlog_of_a_caller_delays_the_requests_of_others(partitions, slots, greedy, kind, records):
    worker = Worker(partitions=partitions, slots=slots)
    for number in range(greedy):
        worker.add_backlog(f"greedy{number}", kind, records)
    unfinished = await worker.run(("other", "request", 3.0), ("people:jo", "request", 5.0))
    assert not any(unfinished.values())
    assert max(worker.seconds["other"]) < 5.0
    assert max(worker.seconds["people:jo"]) < 5.0
    assert worker.calls > 0.95 * CALLS_PER_SECOND * SECONDS
