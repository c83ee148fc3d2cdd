"""Finds and heals a torn transaction, between the restore of a partition and its first record.

Kafka can commit a part of a transaction and abort the rest. Only the newest transaction of a partition can be torn, and
its aborted records still lie in the log: they are committed again, under the same number. If compaction has removed
them, each key that shows a part gets a state that no handler can read. docs/decisions/0027-torn-transactions.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from consumers.engine.core.commit_queue import PendingCommit
from consumers.engine.core.progress import PROGRESS_KEY, RESERVED_KEYS, readable
from consumers.engine.state_store import input_key, state_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.engine.core.progress import ProgressRecord
    from consumers.engine.kafka.tails import TopicTail
    from consumers.engine.kafka.transactions import Transactions
    from consumers.engine.state_store import StateStore

log = structlog.get_logger(__name__)

# No JSON, and nothing that a handler writes.
LOST_STATE: Final = b"\x00lost with a torn transaction"


async def mend(
    tails: Mapping[str, TopicTail],
    state_topic: str,
    transactions: Transactions,
    states: StateStore,
    found: ProgressRecord,
) -> tuple[ProgressRecord, str | None]:
    """Heal the torn transaction, if there is one, and number the next ones.

    `tails` are those of all topics of the engine, `state_topic` among them. `states` get what is healed. `found` is the
    progress that the restore has read.

    Return the progress, and "healed", "lost" or None. Raises as `Transactions.commit`.
    """
    newest = max(tail.numbered.newest() for tail in tails.values())
    number = max(tail.numbered.newest(is_committed=True) for tail in tails.values())
    aborted = {topic: tail.numbered.records(number, is_committed=False) for topic, tail in tails.items()}
    # Without a known number, Unix milliseconds are above every earlier number: a worker commits less often.
    last = max(newest, found.number) or time.time_ns() // 1_000_000
    transactions.count_from(last, {topic: tail.end for topic, tail in tails.items()})
    newest_progress = found  # of the newest transaction: it has the records that each topic should have
    if found.number < number:  # the state topic lacks it: it may be among the aborted records
        own = (record.value for record in aborted[state_topic] if record.key == PROGRESS_KEY)
        newest_progress = readable(next(own, None))
    missing = [
        topic
        for topic, part in newest_progress.parts.items()
        if topic in tails and tails[topic].lacks(newest_progress.number, part, aborted[topic])
    ]
    if not missing and newest_progress.number < number:  # no progress tells the parts of this transaction
        missing = [state_topic]
    if not missing:
        if newest > number:  # else the next start reads the aborted records again
            await transactions.commit((), found.progress, found.second_source_at)
        return found, None
    records = {topic: part[1] for topic, part in newest_progress.parts.items()}
    whole = {topic: part for topic in missing if len(part := aborted[topic]) == records.get(topic, -1)}
    where = {"partition": transactions.partition, "number": number}
    log.error("engine.transaction_torn", **where, missing=missing, healed=list(whole))
    if whole:
        await transactions.repeat(whole)
        states.absorb(whole.get(state_topic, ()))
    found = newest_progress if state_topic in whole else found
    if len(whole) == len(missing):
        return found, "healed"
    shown = {
        input_key(record.key) if topic == state_topic else record.key
        for topic, tail in tails.items()
        for record in tail.numbered.records(number, is_committed=True)
        if record.key not in {None, *RESERVED_KEYS}
    }
    lost = [state_record(state_topic, key, LOST_STATE, time.time()) for key in shown]
    states.absorb(lost)
    results = [PendingCommit((), record, None, 0, None) for record in lost]
    await transactions.commit(results, found.progress, found.second_source_at)
    return found, "lost"
