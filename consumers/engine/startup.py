"""Taking a partition over: the steps between an assignment and the first record, in the order that matters.

    confirm membership -> init producer (fences) -> committed offset -> confirm -> marker -> restore -> judge the offset

Nothing here changes the partition: the result is a value, and a failure at any step leaves Kafka as it was. See
docs/decisions/0001.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.offset_tracker import OffsetTracker, ProgressUnreadable
from consumers.engine.kafka import clients
from consumers.engine.kafka.offsets import Committed, fetch_committed
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.state_store import MARKER_KEY, StateStore, restore, spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    from consumers.engine.kafka.membership import GroupMembership
    from consumers.engine.settings import EngineSettings

log = structlog.get_logger(__name__)

_SECOND_THOUGHTS_SECONDS = (0.5, 1.0, 2.0)


class Stopped(Exception):
    """The partition can't go on without a person; the message says why and what to do."""


class NotAMember(Exception):
    """The coordinator does not confirm the membership under which we were given the partition."""


@dataclass(frozen=True, slots=True)
class StartedPartition:
    """A partition that is ours: what its producer writes, where it stands, what is remembered, whom to call when."""

    transactions: Transactions
    committed: Committed
    memories: StateStore
    alarms: dict[bytes, float]


@dataclass(frozen=True, slots=True)
class StartupContext:
    """What a takeover works with.

    `state` is the partition of the `state` topic, `on_detail` is told in words how far the restore is.
    """

    source: TopicPartition
    state: TopicPartition
    consumer: AIOKafkaConsumer
    standing: GroupMembership
    settings: EngineSettings
    on_detail: Callable[[str], None]


async def start_partition(parts: StartupContext, producer: AIOKafkaProducer, *, resumed: bool) -> StartedPartition:
    """Take the partition over.

    Args:
        parts: what to work with.
        producer: the partition's transactional producer, not started.
        resumed: an operator has said to go on although the committed offset can't be used as it is.

    Raises:
        NotAMember: the group has moved on; wait for the next assignment.
        Stopped: the committed offset can't be used; an operator has to decide.
        KafkaError, TimeoutError, OSError, AssertionError: try again.
    """
    settings, source, consumer = parts.settings, parts.source, parts.consumer
    await _check_membership(parts)  # before fencing: a process that is no member must not disturb the owner
    async with asyncio.timeout(settings.start_seconds):
        await producer.start()
    async with asyncio.timeout(settings.start_seconds):
        committed = await fetch_committed(consumer, settings.group, source)
        begin = (await consumer.beginning_offsets([source]))[source]
        end = await _end(consumer, source, committed)
    await _check_membership(parts)
    transactions = Transactions(producer, source, settings.group, timeout_seconds=settings.transaction_seconds)
    marker = await transactions.mark(parts.state.topic, MARKER_KEY)
    memories = await _restore(parts, marker)
    if not resumed:
        _judge(committed, begin, end, remembers=len(memories) > 0)
    usable = _usable(committed, begin, end)
    if usable != committed:
        # From now on "nothing committed" can only mean that the offsets were lost.
        await transactions.commit((), usable)
    over = settings.alarm_spread or (lambda _memory, _now: settings.alarm_spread_seconds)
    return StartedPartition(transactions, usable, memories, await spread(memories, over, time.time()))


def lanes_with_alarms(settings: EngineSettings, takeover: StartedPartition) -> KeyQueues:
    """Set the alarms that were remembered; those that are overdue are spread, so that they don't ring all at once."""
    lanes = KeyQueues()
    now = time.time()

    def spread(key: bytes) -> float:
        if settings.alarm_spread is None:
            return settings.alarm_spread_seconds
        return settings.alarm_spread(takeover.memories.get(key), now)

    for key, at in takeover.alarms.items():
        lanes.set_alarm(key, at if at > now else now + random.random() * spread(key))  # noqa: S311 - jitter
    return lanes


async def _end(consumer: AIOKafkaConsumer, source: TopicPartition, committed: Committed | None) -> int:
    """Return the log's end; ask again if it is before the committed offset, as a deposed leader would say."""
    for pause in (*_SECOND_THOUGHTS_SECONDS, 0.0):
        end = int((await consumer.end_offsets([source]))[source])
        if committed is None or committed.offset <= end:
            break
        await asyncio.sleep(pause)
    return end


async def _check_membership(parts: StartupContext) -> None:
    async with asyncio.timeout(parts.settings.session_seconds):
        if not await parts.standing.confirm():
            raise NotAMember


async def _restore(parts: StartupContext, marker: int) -> StateStore:
    consumer = clients.restoring_consumer(parts.settings)
    said = time.monotonic()

    def on_progress(done: int, of: int) -> None:
        nonlocal said
        parts.on_detail(f"restoring: {done} of {of} records of the state topic read")
        if time.monotonic() - said > 1.0:
            said = time.monotonic()
            log.info("engine.restoring", partition=parts.source.partition, done=done, of=of)

    seconds = parts.settings.start_seconds
    try:
        async with asyncio.timeout(seconds):
            await consumer.start()
        return await restore(consumer, parts.state, marker, on_progress, timeout_seconds=seconds)
    finally:
        await consumer.stop()


def _judge(committed: Committed | None, begin: int, end: int, *, remembers: bool) -> None:
    if committed is None:
        if remembers:
            raise Stopped(
                "the group has no committed offset, but the state topic holds memories: the offsets expired or were "
                "deleted. Resuming handles every record that the topic still holds once more"
            )
        return
    if committed.offset < begin:
        raise Stopped(
            f"the committed offset {committed.offset} is older than the log, which begins at {begin}: retention has "
            f"deleted {begin - committed.offset} offsets, with records that were never handled. Resuming goes on at "
            f"{begin}"
        )
    if committed.offset > end:
        raise Stopped(
            f"the committed offset {committed.offset} is beyond the log's end {end}: the topic was made anew. "
            f"Resuming goes on at {begin}"
        )
    try:
        OffsetTracker(committed.offset, committed.metadata)
    except ProgressUnreadable as error:
        raise Stopped(
            f"{error}. Resuming goes on at {committed.offset}, and handles once more what was finished beyond it"
        ) from error


def _usable(committed: Committed | None, begin: int, end: int) -> Committed:
    """Return where to go on; what is known to be finished stays finished."""
    if committed is None or committed.offset > end:
        return Committed(begin, "")
    try:
        progress = OffsetTracker(committed.offset, committed.metadata)
    except ProgressUnreadable:
        return Committed(max(begin, committed.offset), "")
    if committed.offset >= begin:
        return committed
    progress.give_up_below(begin)
    return Committed(progress.watermark, progress.encode())
