"""The handler of one authorization's events, one invocation at a time, with a crash at each of its awaits."""

import random
from dataclasses import dataclass, field

import pytest

from consumers.deliverer.dead_letter import read_failed_delivery
from consumers.deliverer.delivery import Delivered, NotDelivered, ReceiverGone
from consumers.deliverer.gate import DeliveryWait, Gate
from consumers.deliverer.handler import DeliveryHandler
from consumers.deliverer.pending import read_pending
from consumers.deliverer.subscription import EventFilter, Subscription
from consumers.engine import UNCHANGED, PartitionLost, Record, RetryAt
from tests.process.deliverer.conftest import event_record
from tests.process.key_queue import Crash, Fuse

DAY = 86_400.0
FAILED = NotDelivered("status_5xx", 500)


class Numbers:
    def answered(self, result, seconds):
        pass

    def delivered(self, age_seconds):
        pass

    def dead_lettered(self):
        pass


def subscription(**changes):
    from adapters.webhooks.target import read_target  # noqa: PLC0415

    target = read_target(changes.pop("url", "https://hooks.example/"), allow_plain_http=False)
    return Subscription("billing", target, 0.0, EventFilter(), (b"s" * 24,), **changes)


class QueueInvocation:
    def __init__(self, queue):
        self._queue = queue
        self.key, self.state = b"auth_1", queue.state

    @property
    def now(self):
        return self._queue.time

    @property
    def steady(self):
        return self._queue.time

    async def checkpoint(self, state, outputs=(), on_commit=()):
        self._queue.fuse.point()
        self._queue.state = self.state = state
        for say in on_commit:
            say()
        self._queue.fuse.point()

    async def ensure_owned(self):
        self._queue.fuse.point()
        if self._queue.is_lost:
            raise PartitionLost


@dataclass
class DeliveryQueue:
    """What Kafka holds of one authorization, and the process that delivers its events."""

    answers: list = field(default_factory=list)
    subscription: object = field(default_factory=subscription)
    time: float = 1_700_000_000.0
    state: bytes | None = None
    records: list = field(default_factory=list)
    finished: int = 0
    sent: list = field(default_factory=list)
    outputs: list = field(default_factory=list)
    waits: list = field(default_factory=list)
    is_lost: bool = False
    is_stopped: bool = False
    fuse: Fuse = field(default_factory=Fuse)

    def __post_init__(self):
        self.restart()

    def restart(self):
        self.fuse.blows_at = None
        chance = random.Random(1).random
        self.handler = DeliveryHandler(
            self.subscription, self.deliver, Gate(chance), Numbers(), "dead", chance, self.store_stop
        )
        if self.is_stopped:
            self.handler.gate.stop()

    async def store_stop(self):
        self.fuse.point()
        self.is_stopped = True
        self.fuse.point()
        return True

    def resume(self):
        self.is_stopped = False
        self.handler.gate.resume()

    async def deliver(self, message, now):
        self.fuse.point()
        answer = self.answers.pop(0) if self.answers else Delivered(204)
        self.sent.append((message.id, answer))
        self.fuse.point()
        return answer

    def append(self, count=1):
        for _ in range(count):
            offset = len(self.records)
            headers, value = event_record(sequence=offset + 1)
            self.records.append(Record(0, offset, b"auth_1", value, headers, self.time))

    async def invoke(self):
        result = await self.handler.on_record(QueueInvocation(self), self.records[self.finished])
        if isinstance(result, RetryAt):
            self.waits.append(result)
            return result
        self.fuse.point()
        self.finished += 1
        self.outputs += result.outputs
        for say in result.on_commit:
            say()
        if result.state is not UNCHANGED:
            self.state = result.state
        return result

    async def drain(self, most=2_000):
        for _ in range(most):
            if self.finished == len(self.records):
                return
            try:
                result = await self.invoke()
            except Crash:
                self.restart()
                continue
            if isinstance(result, RetryAt):
                assert result.at > self.time
                self.time = result.at
        raise AssertionError(f"not finished: {self.waits[-3:]}")

    @property
    def delivered(self):
        return [number for number, answer in self.sent if isinstance(answer, Delivered)]

    @property
    def ids(self):
        return [dict(record.headers)["ce_id"].decode() for record in self.records]


async def test_events_are_delivered_in_order_and_leave_no_state():
    queue = DeliveryQueue()
    queue.append(3)
    await queue.drain()
    assert queue.delivered == queue.ids
    assert queue.state is None
    assert not queue.outputs


async def test_the_first_failure_is_stored_and_the_success_deletes_it():
    queue = DeliveryQueue([FAILED, FAILED])
    queue.append(2)
    began = queue.time
    await queue.invoke()
    assert read_pending(queue.state, 0).since == began
    stored = queue.state
    queue.time += 1
    await queue.invoke()
    assert queue.state == stored, "only the first failure is written"
    await queue.drain()
    assert queue.state is None
    assert queue.delivered == queue.ids


@pytest.mark.parametrize("point", range(12))
async def test_a_crash_anywhere_loses_and_reorders_nothing(point):
    queue = DeliveryQueue([FAILED])
    queue.append(3)
    queue.fuse.arm(point)
    await queue.drain()
    first = list(dict.fromkeys(queue.delivered))
    assert first == queue.ids
    assert queue.state is None


async def test_after_a_day_the_event_is_a_dead_letter_and_later_events_go_on():
    queue = DeliveryQueue([FAILED] * 5_000)
    queue.append(2)
    began = queue.time
    while not queue.outputs:
        result = await queue.invoke()
        if isinstance(result, RetryAt):
            queue.time = result.at
    assert DAY <= queue.time - began < DAY + 301
    (output,) = queue.outputs
    assert (output.topic, output.key, output.value) == ("dead", b"auth_1", queue.records[0].value)
    failed = read_failed_delivery(output.headers)
    assert (failed.offset, failed.since, failed.result, failed.status) == (0, began, "status_5xx", 500)
    assert queue.state is None
    queue.answers.clear()
    await queue.drain()
    assert queue.delivered == [queue.ids[1]]


async def test_a_restart_does_not_begin_the_day_again():
    queue = DeliveryQueue([FAILED] * 10)
    queue.append()
    await queue.invoke()
    queue.restart()
    queue.time += DAY
    await queue.invoke()
    assert len(queue.outputs) == 1


async def test_an_event_is_tried_before_it_becomes_a_dead_letter():
    queue = DeliveryQueue([FAILED])
    queue.append()
    await queue.invoke()
    queue.time += 10 * DAY
    await queue.drain()
    assert queue.delivered == queue.ids
    assert not queue.outputs


async def test_retry_after_is_respected():
    queue = DeliveryQueue([NotDelivered("status_5xx", 503, 120.0, holds_all=True)])
    queue.append()
    began = queue.time
    await queue.drain()
    assert queue.waits[0].at - began >= 120


async def test_410_stops_until_an_operator_resumes():
    queue = DeliveryQueue([ReceiverGone()])
    queue.append()
    await queue.invoke()
    for _ in range(5):
        assert (await queue.invoke()).reason is DeliveryWait.STOPPED
    queue.restart()
    assert (await queue.invoke()).reason is DeliveryWait.STOPPED
    assert len(queue.sent) == 1
    queue.resume()
    await queue.drain()
    assert queue.delivered == queue.ids
    assert queue.state is None


@pytest.mark.parametrize("point", range(8))
async def test_a_crash_around_a_410_costs_one_request_at_most(point):
    queue = DeliveryQueue([ReceiverGone(), ReceiverGone()])
    queue.append()
    queue.fuse.arm(point)
    for _ in range(4):
        try:
            await queue.invoke()
        except Crash:
            queue.restart()
    assert queue.is_stopped
    assert len(queue.sent) <= 2
    queue.answers.clear()
    queue.resume()
    queue.restart()
    await queue.drain()
    assert queue.delivered == queue.ids


async def test_a_410_after_a_resume_stops_again():
    queue = DeliveryQueue([ReceiverGone(), ReceiverGone()])
    queue.append()
    await queue.invoke()
    queue.resume()
    assert (await queue.invoke()).reason is DeliveryWait.STOPPED
    assert (len(queue.sent), queue.is_stopped) == (2, True)


async def test_a_410_to_a_request_that_began_before_the_resume_stops_nothing():
    queue = DeliveryQueue([ReceiverGone()])
    queue.append()

    async def resumed_meanwhile(message, now):
        queue.resume()
        return await queue.deliver(message, now)

    queue.handler.deliver = resumed_meanwhile
    assert (await queue.invoke()).reason is DeliveryWait.FAILED
    assert not queue.is_stopped
    queue.handler.deliver = queue.deliver
    await queue.drain()
    assert queue.delivered == queue.ids


async def test_a_record_that_is_no_event_is_a_dead_letter_at_once():
    queue = DeliveryQueue()
    queue.append(2)
    queue.records[0] = queue.records[0]._replace(headers=(("x", b"y"),), value=b"broken")
    await queue.drain()
    assert read_failed_delivery(queue.outputs[0].headers).result == "unreadable"
    assert queue.delivered == queue.ids[1:] if "ce_id" in dict(queue.records[0].headers) else [queue.records[1]]


async def test_no_request_is_sent_for_a_lost_partition():
    queue = DeliveryQueue(is_lost=True)
    queue.append()
    with pytest.raises(PartitionLost):
        await queue.invoke()
    assert not queue.sent


async def test_events_before_since_and_unwanted_events_are_finished_without_a_request():
    queue = DeliveryQueue()
    queue.append(2)
    queue.handler.subscription = subscription()
    object.__setattr__(queue.handler.subscription, "since", queue.time + 1)
    await queue.drain()
    assert not queue.sent
