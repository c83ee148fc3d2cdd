"""The start of an assigned partition, from the assignment to the first record. The order of the steps matters.

    confirm membership -> init producer (fences) -> read the group's copy and the topic's id -> confirm -> marker
    -> restore -> validate -> heal a torn transaction -> write the progress if it is new

The result is a value, and a failure at any step has no lasting effect in Kafka. See
docs/decisions/0001-transactions.md.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from aiokafka import TopicPartition

from adapters.kafka.aiokafka_internals import stop_consumer
from adapters.kafka.topic_metadata import fetch_topic_id
from consumers.engine.core.key_queues import KeyQueues
from consumers.engine.core.progress import (
    NOTHING_KNOWN,
    PROGRESS_LOST,
    KnownProgress,
    ProgressRecord,
    combine,
    readable,
    within_log,
)
from consumers.engine.kafka import clients
from consumers.engine.kafka.offsets import fetch_committed
from consumers.engine.kafka.tails import read_tail
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.state_store import StateStore, input_key, restore, spread_timers
from consumers.engine.torn import mend

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    from consumers.engine.core.commit_queue import UnknownCommit
    from consumers.engine.core.offset_tracker import Committed
    from consumers.engine.kafka.membership import GroupMembership
    from consumers.engine.settings import EngineSettings
    from runtime.clocks import Clocks

log = structlog.get_logger(__name__)

_LOG_END_RETRY_SECONDS = (0.5, 1.0, 2.0, 3.0)


class OperatorNeeded(Exception):
    """The start needs an operator's decision; the message has the reason and the effect of a resume."""


class NotAMember(Exception):
    """The coordinator does not confirm the generation under which the partition was assigned."""


@dataclass(frozen=True, slots=True)
class StartedPartition:
    """The result of a start: the producer's transactions, the progress, the states, and the timers by key.

    `topic_id`: of the input topic, in which the offsets of the progress are.
    """

    transactions: Transactions
    committed: Committed
    states: StateStore
    timers: dict[bytes, float]
    topic_id: str

    def shows(self, unknown: UnknownCommit) -> bool:
        """Whether that transaction was committed: its progress and its states are the newest in `state`."""
        written = {result.state.key: result.state.value for result in unknown.results if result.state is not None}
        has_states = all(self.states.get(input_key(key)) == value for key, value in written.items())
        return has_states and self.states.progress == unknown.progress


@dataclass(frozen=True, slots=True)
class StartupContext:
    """The objects that a start uses.

    `state` is the partition of the `state` topic; `on_detail` receives a text about the progress of the restore.
    `on_epoch_replaced` is called after each replaced epoch of the producer, `on_torn` after each torn transaction, with
    "healed" or "lost".
    """

    source: TopicPartition
    state: TopicPartition
    consumer: AIOKafkaConsumer
    membership: GroupMembership
    settings: EngineSettings
    on_detail: Callable[[str], None]
    on_epoch_replaced: Callable[[], None] = lambda: None
    on_torn: Callable[[str], None] = lambda _: None


async def start_partition(
    context: StartupContext, producer: AIOKafkaProducer, *, accept_lost_offset: bool
) -> StartedPartition:
    """Start the partition.

    Args:
        context: the objects that the start uses.
        producer: the partition's transactional producer, not started.
        accept_lost_offset: an operator has resumed the partition although its progress is in doubt.

    Raises:
        NotAMember: the group has moved on; wait for the next assignment.
        OperatorNeeded: the progress is in doubt.
        KafkaFailure: try again.
    """
    settings, source, consumer = context.settings, context.source, context.consumer
    await _check_membership(context)  # before fencing: a process that is no member must not disturb the owner
    async with asyncio.timeout(settings.start_seconds):
        await producer.start()
    async with asyncio.timeout(settings.start_seconds):
        copy = (await fetch_committed(consumer, settings.group, [source]))[source]
        # Before the log's offsets: offsets of a later topic under this id stop the partition at its next start.
        topic = await fetch_topic_id(consumer, source.topic)
    await _check_membership(context)
    transactions = Transactions(producer, source, settings, topic, context.on_epoch_replaced)
    marker, epoch = await transactions.write_marker(everywhere=True)
    states = await _restore(context, marker)
    known = combine(states.progress, copy, topic=topic, has_states=len(states) > 0)
    if known == NOTHING_KNOWN and await _has_evidence(context):
        known = PROGRESS_LOST
    async with asyncio.timeout(settings.start_seconds):
        begin = int((await consumer.beginning_offsets([source]))[source])
        end = await _log_end(consumer, source, known.progress)
    found = within_log(known, begin, end)
    if found.problem is not None and not accept_lost_offset:
        raise OperatorNeeded(found.problem)
    recorded = readable(states.progress)
    if recorded.topic != topic:
        recorded = ProgressRecord(found.progress, topic, recorded.second_source_at)
    recorded = recorded._replace(progress=found.progress)
    async with asyncio.timeout(settings.start_seconds):
        tails = {
            name: await read_tail(producer, context.state._replace(topic=name), recorded.parts.get(name), epoch)
            for name in (settings.state_topic, *settings.outputs)
        }
    recorded, result = await mend(tails, settings.state_topic, transactions, states, recorded)
    if result is not None:
        context.on_torn(result)
    # An operator has accepted that the log no longer has the place; the progress of a healed transaction may name it.
    progress = within_log(KnownProgress(recorded.progress), begin, end).progress
    if not recorded.number or readable(states.progress)[:2] != (progress, topic):
        await transactions.commit((), progress, recorded.second_source_at)
    timers = await spread_timers(states, settings.spread_seconds, time.time())
    return StartedPartition(transactions, progress, states, timers, topic)


def key_queues_with_timers(settings: EngineSettings, started: StartedPartition, clocks: Clocks) -> KeyQueues:
    """Make the key queues with the restored timers; timers that became due meanwhile are spread again.

    A stored time is a Unix time. From here on the timer waits on the steady clock.
    """
    key_queues = KeyQueues(settings.passing, settings.turn_of)
    now, steady = clocks.unix(), clocks.steady()
    for key, at in started.timers.items():
        wait = at - now
        if wait <= 0:
            wait = random.random() * settings.spread_seconds(started.states.get(key), now)  # noqa: S311 - jitter
        key_queues.set_timer(key, steady + wait)
    return key_queues


async def _log_end(consumer: AIOKafkaConsumer, source: TopicPartition, progress: Committed | None) -> int:
    """Return the log's end; retry while it lies before the progress, because a deposed leader may lag.

    The retries last longer than the consumer's metadata about a deposed leader.
    """
    for pause in (*_LOG_END_RETRY_SECONDS, 0.0):
        end = int((await consumer.end_offsets([source]))[source])
        if progress is None or progress.offset <= end:
            break
        await asyncio.sleep(pause)
    return end


async def _has_evidence(context: StartupContext) -> bool:
    """Say whether an earlier owner has finished input: its outputs and its progress were one transaction."""
    if (topic := context.settings.evidence_topic) is None:
        return False
    consumer = clients.restoring_consumer(context.settings, context.consumer)
    partition = TopicPartition(topic, context.source.partition)
    try:
        async with asyncio.timeout(context.settings.start_seconds):
            await consumer.start()
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            await consumer.seek_to_beginning(partition)
            # Kafka's markers are no records: a start that ended early has left some.
            while await consumer.position(partition) < end:
                if await consumer.getmany(timeout_ms=500, max_records=1):
                    return True
            return False
    finally:
        await stop_consumer(consumer)


async def _check_membership(context: StartupContext) -> None:
    if not await context.membership.confirm():
        raise NotAMember


async def _restore(context: StartupContext, marker: int) -> StateStore:
    consumer = clients.restoring_consumer(context.settings, context.consumer)
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
        states = StateStore(context.settings.group_of)
        return await restore(consumer, context.state, marker, on_progress, states=states, timeout_seconds=seconds)
    finally:
        await stop_consumer(consumer)
