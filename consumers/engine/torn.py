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
    tails: Mapping[str, TopicTail], state: str, transactions: Transactions, states: StateStore, found: ProgressRecord
) -> tuple[ProgressRecord, str | None]:
    """Heal the torn transaction, if there is one, and number the next ones.

    `tails` are those of all topics of the engine, of which `state` names one. `states` get what is healed, and `found`
    is the progress so far.

    Return the progress, and "healed", "lost" or None. Raises as `Transactions.commit`.
    """
    newest = max(tail.numbered.newest() for tail in tails.values())
    number = max(tail.numbered.newest(is_committed=True) for tail in tails.values())
    aborted = {topic: tail.numbered.records(number, is_committed=False) for topic, tail in tails.items()}
    # Without a known number, Unix milliseconds are above every earlier number: a worker commits less often.
    last = max(newest, found.number) or time.time_ns() // 1_000_000
    transactions.count_from(last, {topic: tail.end for topic, tail in tails.items()})
    shape = found
    if found.number < number:  # `state` lacks it: its progress may be among the aborted records
        shape = readable(next((record.value for record in aborted[state] if record.key == PROGRESS_KEY), None))
    missing = [
        topic
        for topic, part in shape.parts.items()
        if topic in tails and tails[topic].lacks(shape.number, part, aborted[topic])
    ] or [state] * (shape.number < number)
    if not missing:
        if newest > number:  # else the next start reads the aborted records again
            await transactions.commit((), found.progress, found.second_source_at)
        return found, None
    whole = {topic: part for topic in missing if len(part := aborted[topic]) == shape.parts.get(topic, (0, -1, 0))[1]}
    where = {"partition": transactions.partition, "number": number}
    log.error("engine.transaction_torn", **where, missing=missing, healed=list(whole))
    if whole:
        await transactions.repeat(whole)
        states.absorb(whole.get(state, ()))
    found = shape if state in whole else found
    if len(whole) == len(missing):
        return found, "healed"
    shown = {
        input_key(record.key) if topic == state else record.key
        for topic, tail in tails.items()
        for record in tail.numbered.records(number, is_committed=True)
        if record.key not in {None, *RESERVED_KEYS}
    }
    lost = [state_record(state, key, LOST_STATE, time.time()) for key in shown]
    states.absorb(lost)
    await transactions.commit(
        [PendingCommit((), one, None, 0, None) for one in lost], found.progress, found.second_source_at
    )
    return found, "lost"
