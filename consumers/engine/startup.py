"""The start of an assigned partition, from the assignment to the first record. The order of the steps matters.

    confirm membership -> init producer (fences) -> committed offset -> confirm -> marker -> restore -> check the offset

The result is a value, and a failure at any step has no lasting effect in Kafka. See
docs/decisions/0001-transactions-and-fencing.md.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.offset_tracker import Committed, MetadataUnreadable, OffsetTracker
from consumers.engine.kafka import clients
from consumers.engine.kafka.offsets import fetch_committed
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.state_store import MARKER_KEY, StateStore, restore, spread_timers

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

    from consumers.engine.kafka.membership import GroupMembership
    from consumers.engine.settings import EngineSettings

log = structlog.get_logger(__name__)

_LOG_END_RETRY_SECONDS = (0.5, 1.0, 2.0)


class OperatorNeeded(Exception):
    """The start needs an operator's decision; the message has the reason and the effect of a resume."""


class NotAMember(Exception):
    """The coordinator does not confirm the generation under which the partition was assigned."""


@dataclass(frozen=True, slots=True)
class StartedPartition:
    """The result of a start: the producer's transactions, the committed offset, the states, and the timers by key."""

    transactions: Transactions
    committed: Committed
    states: StateStore
    timers: dict[bytes, float]


@dataclass(frozen=True, slots=True)
class StartupContext:
    """The objects that a start uses.

    `state` is the partition of the `state` topic; `on_detail` receives a text about the progress of the restore.
    """

    source: TopicPartition
    state: TopicPartition
    consumer: AIOKafkaConsumer
    membership: GroupMembership
    settings: EngineSettings
    on_detail: Callable[[str], None]


async def start_partition(
    context: StartupContext, producer: AIOKafkaProducer, *, accept_lost_offset: bool
) -> StartedPartition:
    """Start the partition.

    Args:
        context: the objects that the start uses.
        producer: the partition's transactional producer, not started.
        accept_lost_offset: an operator has resumed the partition although the committed offset is unusable.

    Raises:
        NotAMember: the group has moved on; wait for the next assignment.
        OperatorNeeded: the committed offset is unusable.
        KafkaFailure: try again.
    """
    settings, source, consumer = context.settings, context.source, context.consumer
    await _check_membership(context)  # before fencing: a process that is no member must not disturb the owner
    async with asyncio.timeout(settings.start_seconds):
        await producer.start()
    async with asyncio.timeout(settings.start_seconds):
        committed = (await fetch_committed(consumer, settings.group, [source]))[source]
        begin = (await consumer.beginning_offsets([source]))[source]
        end = await _log_end(consumer, source, committed)
    await _check_membership(context)
    transactions = Transactions(producer, source, settings.group, timeout_seconds=settings.transaction_seconds)
    marker = await transactions.write_marker(context.state.topic, MARKER_KEY)
    states = await _restore(context, marker)
    if not accept_lost_offset:
        _check_offset(committed, begin, end, has_states=len(states) > 0)
    usable = _usable_offset(committed, begin, end)
    if usable != committed:
        # From now on a missing offset can only mean that the offsets were lost.
        await transactions.commit((), usable)
    return StartedPartition(
        transactions, usable, states, await spread_timers(states, settings.spread_seconds, time.time())
    )


def key_queues_with_timers(settings: EngineSettings, started: StartedPartition) -> KeyQueues:
    """Make the key queues with the restored timers; timers that became due meanwhile are spread again."""
    key_queues = KeyQueues()
    now = time.time()
    for key, at in started.timers.items():
        if at <= now:
            spread = settings.spread_seconds(started.states.get(key), now)
            key_queues.set_timer(key, now + random.random() * spread)  # noqa: S311 - jitter
        else:
            key_queues.set_timer(key, at)
    return key_queues


async def _log_end(consumer: AIOKafkaConsumer, source: TopicPartition, committed: Committed | None) -> int:
    """Return the log's end; retry while it lies before the committed offset, because a deposed leader may lag."""
    for pause in (*_LOG_END_RETRY_SECONDS, 0.0):
        end = int((await consumer.end_offsets([source]))[source])
        if committed is None or committed.offset <= end:
            break
        await asyncio.sleep(pause)
    return end


async def _check_membership(context: StartupContext) -> None:
    async with asyncio.timeout(context.settings.session_seconds):
        if not await context.membership.confirm():
            raise NotAMember


async def _restore(context: StartupContext, marker: int) -> StateStore:
    consumer = clients.restoring_consumer(context.settings)
    logged_at = time.monotonic()

    def on_progress(done: int, total: int) -> None:
        nonlocal logged_at
        context.on_detail(f"restoring: {done} of {total} records of the state topic read")
        if time.monotonic() - logged_at > 1.0:
            logged_at = time.monotonic()
            log.info("engine.restore_progressed", partition=context.source.partition, done=done, total=total)

    seconds = context.settings.start_seconds
    try:
        async with asyncio.timeout(seconds):
            await consumer.start()
        return await restore(consumer, context.state, marker, on_progress, timeout_seconds=seconds)
    finally:
        await consumer.stop()


def _check_offset(committed: Committed | None, begin: int, end: int, *, has_states: bool) -> None:
    if committed is None:
        if has_states:
            raise OperatorNeeded(
                "the group has no committed offset, but the state topic holds states: the offsets expired or were "
                "deleted. Resuming processes every record that the topic still holds once more"
            )
        return
    if committed.offset < begin:
        raise OperatorNeeded(
            f"the committed offset {committed.offset} is older than the log, which begins at {begin}: retention has "
            f"deleted {begin - committed.offset} offsets, with records that were never processed. Resuming continues "
            f"at {begin}"
        )
    if committed.offset > end:
        raise OperatorNeeded(
            f"the committed offset {committed.offset} is beyond the log's end {end}: the topic was created again. "
            f"Resuming continues at {begin}"
        )
    try:
        OffsetTracker(committed.offset, committed.metadata)
    except MetadataUnreadable as error:
        raise OperatorNeeded(
            f"{error}. Resuming continues at {committed.offset}, and processes once more the records that were "
            "finished beyond it"
        ) from error


def _usable_offset(committed: Committed | None, begin: int, end: int) -> Committed:
    """Return the offset to continue at; records that are known to be finished stay finished."""
    if committed is None or committed.offset > end:
        return Committed(begin, "")
    try:
        tracker = OffsetTracker(committed.offset, committed.metadata)
    except MetadataUnreadable:
        return Committed(max(begin, committed.offset), "")
    if committed.offset >= begin:
        return committed
    tracker.skip_to(begin)
    return Committed(tracker.watermark, tracker.encode())
