"""The engine's handler of one subscription: one record of `events` is one event to deliver.

    filtered out        -> Done
    gate closed         -> RetryAt, without a request
    delivered           -> Done, the key's state deleted
    first failure       -> its time is committed, then RetryAt
    failure after a day -> Done with a dead letter; then the key's next event
    410                 -> the gate stops, the stop is stored (`stored_stop`), RetryAt
    unreadable          -> Done with a dead letter

Else the handler commits nothing before a request: a repeated request is allowed, a missing one is not. The engine runs
one invocation of a key at a time, so the next event of an authorization is sent only after this one has ended.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from consumers.deliverer.backoff import pause_seconds
from consumers.deliverer.dead_letter import FailedDelivery, dead_letter_headers
from consumers.deliverer.delivery import (
    UNREADABLE,
    Delivered,
    NotDelivered,
    Outcome,
    ReceiverGone,
    WebhookMessage,
    message_of,
)
from consumers.deliverer.gate import DeliveryWait, Gate
from consumers.deliverer.numbers import SubscriptionNumbers
from consumers.deliverer.pending import PendingDelivery, read_pending
from consumers.deliverer.subscription import Subscription
from consumers.engine import UNCHANGED, Done, Failure, Invocation, Output, Record, RetryAt
from schemas.cloudevents import CloudEventError, from_kafka

log = structlog.get_logger(__name__)

_STOPPED_SECONDS: Final = 10.0

Deliver = Callable[[WebhookMessage, float], Awaitable[Outcome]]


@dataclass(slots=True)
class LastAnswer:
    """The receiver's last response, for operators. `at` is Unix seconds; None before the first request."""

    result: str = ""
    status: int | None = None
    at: float | None = None


@dataclass(slots=True)
class DeliveryHandler:
    """Delivers the events of one subscription. `subscription` is replaced when the file changes.

    `store_stop` stores a stop for all processes, and returns whether Kafka has it in time.
    """

    subscription: Subscription
    deliver: Deliver
    gate: Gate
    numbers: SubscriptionNumbers
    dead_letters_topic: str
    chance: Callable[[], float]
    store_stop: Callable[[], Awaitable[bool]]
    last_answer: LastAnswer = field(default_factory=LastAnswer)

    async def on_record(self, invocation: Invocation, record: Record) -> Done | RetryAt:
        """Deliver one event, or return when to retry."""
        if record.timestamp < self.subscription.since:
            return _done(invocation)
        try:
            envelope = from_kafka(record.headers, record.value)
            if not self.subscription.accepts.accepts(envelope):
                return _done(invocation)
            message = message_of(envelope)
        except CloudEventError:
            message = None
        if message is None:
            return self._dead_letter(invocation, record, invocation.now, NotDelivered(UNREADABLE))
        held = self.gate.enter(record.key, invocation.steady)
        if held is not None:
            return RetryAt(invocation.now + held.seconds, held.reason)
        outcome = await self._send(invocation, record, message)
        match outcome:
            case Delivered():
                self.gate.succeeded()
                age = max(0.0, invocation.now - record.timestamp)
                return _done(invocation)._replace(on_commit=(partial(self.numbers.delivered, age),))
            case ReceiverGone():
                return await self._stop(invocation)
            case NotDelivered():
                return await self._failed(invocation, record, outcome)

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Do nothing: no key has a timer."""
        del invocation
        return Done()

    async def _send(self, invocation: Invocation, record: Record, message: WebhookMessage) -> Outcome:
        is_answered = False
        try:
            await invocation.ensure_owned()
            began, resumes = invocation.steady, self.gate.resumes
            outcome = await self.deliver(message, invocation.now)
            is_answered = True
        finally:
            if not is_answered:
                self.gate.left(record.key)
        result, status = _described(outcome)
        self.last_answer = LastAnswer(result, status, invocation.now)
        self.numbers.answered(result, invocation.steady - began)
        is_outdated = isinstance(outcome, ReceiverGone) and resumes != self.gate.resumes
        return NotDelivered(result, status) if is_outdated else outcome

    async def _failed(self, invocation: Invocation, record: Record, outcome: NotDelivered) -> Done | RetryAt:
        wait = outcome.retry_after_seconds
        self.gate.failed(record.key, invocation.steady, wait if outcome.holds_all else None)
        pending = read_pending(invocation.state, record.offset)
        since = invocation.now if pending is None else pending.since
        elapsed = invocation.now - since
        log.warning(
            "deliverer.event_not_delivered",
            subscription=self.subscription.name,
            partition=record.partition,
            offset=record.offset,
            result=outcome.result,
            status=outcome.status,
            elapsed=round(elapsed, 1),
        )
        if elapsed >= self.subscription.gives_up_after_seconds:
            return self._dead_letter(invocation, record, since, outcome)
        if pending is None:
            await invocation.checkpoint(PendingDelivery(offset=record.offset, since=since).to_json())
        pause = pause_seconds(elapsed, self.chance(), wait)
        return RetryAt(invocation.now + pause, DeliveryWait.FAILED)

    async def _stop(self, invocation: Invocation) -> RetryAt:
        if not self.gate.is_stopped:
            self.gate.stop()
            is_stored = await self.store_stop()
            log.error(
                "deliverer.subscription_stopped", subscription=self.subscription.name, status=410, is_stored=is_stored
            )
        return RetryAt(invocation.now + _STOPPED_SECONDS, DeliveryWait.STOPPED)

    def _dead_letter(self, invocation: Invocation, record: Record, since: float, outcome: NotDelivered) -> Done:
        say = partial(
            log.error,
            "deliverer.event_dead_lettered",
            subscription=self.subscription.name,
            partition=record.partition,
            offset=record.offset,
            result=outcome.result,
            status=outcome.status,
        )
        failed = FailedDelivery(
            partition=record.partition,
            offset=record.offset,
            since=since,
            dead_at=invocation.now,
            result=outcome.result,
            status=outcome.status,
        )
        headers = dead_letter_headers(record.headers, failed)
        output = Output(self.dead_letters_topic, record.key, record.value, headers)
        # It does not count against the partition's failure ratio: later events must still be sent.
        failure, on_commit = Failure(outcome.result, counts=False), (self.numbers.dead_lettered, say)
        return Done((output,), None, dead_lettered=failure, on_commit=on_commit)


def _done(invocation: Invocation) -> Done:
    return Done(state=UNCHANGED if invocation.state is None else None)


def _described(outcome: Outcome) -> tuple[str, int | None]:
    match outcome:
        case Delivered(status):
            return "delivered", status
        case ReceiverGone():
            return "gone", 410
        case NotDelivered(result, status):
            return result, status
