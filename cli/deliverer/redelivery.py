"""Delivers events once more: dead letters, or everything from a position on. For `gateway deliverer redrive`.

It runs beside the deliverer, in a process of its own, and changes neither its progress nor its states. The events of
a partition are sent one after another, so those of an authorization keep their order. The deliverer sends newer events
meanwhile: a receiver orders by `sequence`, and recognises an event by its id.

After a crash an operator runs it again: a dead letter ends only after its delivery, so a crash causes only duplicates.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.kafka.clients import bounded_stop, idempotent_producer
from adapters.kafka.topic_reader import open_reader, partitions_of
from adapters.webhooks.transport import WebhookTransport
from consumers.deliverer.dead_letter import FailedDelivery, ended_headers, read_ended, read_failed_delivery
from consumers.deliverer.delivery import (
    UNREADABLE,
    Delivered,
    NotDelivered,
    Outcome,
    ReceiverGone,
    WebhookMessage,
    deliver,
    message_of,
)
from consumers.deliverer.subscription import Subscription
from runtime.settings import DelivererProcessSettings
from schemas.cloudevents import CloudEventError, Envelope, KafkaHeaders, from_kafka
from schemas.records import TopicRecord
from schemas.topics import catalogue, partition_for, subscription_topics

_TRIES: Final = 5
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_SEND_SECONDS: Final = 10.0
_OUR_HEADER: Final = "delivery"


@dataclass(frozen=True, slots=True)
class UndeliveredEvent:
    """A dead letter that no redrive has ended. `event` is None if its record is no CloudEvent."""

    failed: FailedDelivery
    event: Envelope | None


@dataclass(frozen=True, slots=True)
class ReplayedEvent:
    """An event to deliver once more, with its place on `events`. `event` is None if its record is no CloudEvent."""

    partition: int
    offset: int
    event: Envelope | None


@dataclass(slots=True)
class RedriveResult:
    """The result of a redrive. `stopped` has the position of the first undelivered event of each stopped partition.

    `skipped` counts the unreadable events: no receiver can get them.
    """

    delivered: int = 0
    skipped: int = 0
    stopped: dict[int, tuple[int, str]] = field(default_factory=dict)


async def open_dead_letters(settings: DelivererProcessSettings, subscription: str) -> list[UndeliveredEvent]:
    """Return the dead letters of a subscription that are not ended, in order of partition. Raises KafkaFailure."""
    topic = subscription_topics(settings.topics.prefix, subscription).dead_letters.name
    found: dict[str, UndeliveredEvent] = {}

    async with open_reader(settings.kafka, partitions_of(topic, settings.topics.partitions)) as reader:
        ends = await reader.ends()
        reader.seek(await reader.beginnings())
        async for _, record in reader.read_until(ends):
            if (ended := read_ended(record.headers)) is not None:
                found.pop(ended, None)
            elif (failed := read_failed_delivery(record.headers)) is not None:
                found[failed.position] = UndeliveredEvent(failed, _event(record.headers, record.value))
    return sorted(found.values(), key=lambda one: (one.failed.partition, one.failed.offset))


async def redrive_dead_letters(
    settings: DelivererProcessSettings,
    subscription: Subscription,
    dead_letters: Iterable[UndeliveredEvent],
    on_event: Callable[[ReplayedEvent, Outcome], None],
) -> RedriveResult:
    """Deliver these dead letters, and end each of them. Raises KafkaFailure."""
    result = RedriveResult()
    topic = subscription_topics(settings.topics.prefix, subscription.name).dead_letters.name
    by_partition: dict[int, list[ReplayedEvent]] = {}
    for dead_letter in dead_letters:
        failed = dead_letter.failed
        by_partition.setdefault(failed.partition, []).append(
            ReplayedEvent(failed.partition, failed.offset, dead_letter.event)
        )
    producer = idempotent_producer(settings.kafka)
    try:
        async with asyncio.timeout(_SEND_SECONDS):
            await producer.start()

        async def end(event: ReplayedEvent, subject: str | None) -> None:
            key = (subject or "").encode()
            headers = list(ended_headers(f"{event.partition}:{event.offset}"))
            async with asyncio.timeout(_SEND_SECONDS):
                await producer.send_and_wait(topic, None, key=key, headers=headers, partition=event.partition)

        async with aclosing(_transport(subscription)) as transport:
            sender = _Sender(transport, subscription, result, on_event, end)
            await asyncio.gather(*(sender.send(events) for events in by_partition.values()))
    finally:
        await bounded_stop(producer)
    return result


async def redrive_from(
    settings: DelivererProcessSettings,
    subscription: Subscription,
    start: tuple[int, int] | datetime,
    on_event: Callable[[ReplayedEvent, Outcome], None],
    *,
    authorization_id: str | None = None,
) -> RedriveResult:
    """Deliver the subscription's events from a position (partition, offset) or a time to the current end of the log.

    Raises KafkaFailure.
    """
    result = RedriveResult()
    partitions = partitions_of(catalogue(settings.topics.prefix).events.name, settings.topics.partitions)
    if isinstance(start, tuple):
        partitions = {start[0]: partitions[start[0]]}
    if authorization_id is not None:
        own = partition_for(authorization_id.encode(), settings.topics.partitions)
        partitions = {number: place for number, place in partitions.items() if number == own}
    if not partitions:
        return result
    async with open_reader(settings.kafka, partitions) as reader, aclosing(_transport(subscription)) as transport:
        ends, beginnings = await reader.ends(), await reader.beginnings()
        if isinstance(start, tuple):
            reader.seek({start[0]: min(max(start[1], beginnings[start[0]]), ends[start[0]])})
        else:
            starts = await reader.offsets_at(start)
            reader.seek({number: ends[number] if at is None else at for number, at in starts.items()})
        sender = _Sender(transport, subscription, result, on_event)
        async for batches in reader.batches_until(ends):
            wanted = (_wanted(number, records, subscription, authorization_id) for number, records in batches.items())
            await asyncio.gather(*(sender.send(events) for events in wanted))
    return result


class _Sender:
    """Delivers the events of a partition one after another, and stops it at the first that fails."""

    def __init__(
        self,
        transport: WebhookTransport,
        subscription: Subscription,
        result: RedriveResult,
        on_event: Callable[[ReplayedEvent, Outcome], None],
        end: Callable[[ReplayedEvent, str | None], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = transport
        self._subscription = subscription
        self._result = result
        self._on_event = on_event
        self._end = end

    async def send(self, events: Sequence[ReplayedEvent]) -> None:
        for event in events:
            if event.partition in self._result.stopped:
                return
            message = None if event.event is None else message_of(event.event)
            if event.event is None or message is None:
                self._on_event(event, NotDelivered(UNREADABLE))
                self._result.skipped += 1
                continue
            outcome = await self._try(message)
            self._on_event(event, outcome)
            if not isinstance(outcome, Delivered):
                why = "gone" if isinstance(outcome, ReceiverGone) else outcome.result
                self._result.stopped[event.partition] = event.offset, why
                return
            self._result.delivered += 1
            if self._end is not None:
                await self._end(event, event.event.subject)

    async def _try(self, message: WebhookMessage) -> Outcome:
        for number in range(1, _TRIES + 1):
            outcome = await deliver(self._transport, message, self._subscription.secrets, time.time())
            if not isinstance(outcome, NotDelivered) or number == _TRIES:
                break
            pause = _FIRST_PAUSE_SECONDS * 2 ** (number - 1)
            await asyncio.sleep(min(_LONGEST_PAUSE_SECONDS, max(pause, outcome.retry_after_seconds or 0.0)))
        return outcome


def _transport(subscription: Subscription) -> WebhookTransport:
    return WebhookTransport(subscription.target, subscription.limits, subscription.policy, ca_file=subscription.ca_file)


def _wanted(
    number: int,
    records: Sequence[TopicRecord],
    subscription: Subscription,
    authorization_id: str | None,
) -> list[ReplayedEvent]:
    found = []
    for record in records:
        event = _event(record.headers, record.value)
        # A record that is no CloudEvent has no type and no subject.
        is_accepted = event is None or subscription.accepts.accepts(event)
        if is_accepted and authorization_id in {None, event.subject if event else None}:
            found.append(ReplayedEvent(number, record.offset, event))
    return found


def _event(headers: Sequence[tuple[str, bytes]], value: bytes | None) -> Envelope | None:
    own: KafkaHeaders = tuple((name, value) for name, value in headers if name != _OUR_HEADER)
    try:
        return from_kafka(own, value)
    except CloudEventError:
        return None
