"""The numbered transactions in the tail of one partition of a topic, in the order of their ends. Pure.

Every record of a transaction has its number in the last header. A marker ends the transaction of its producer: the
first one after a batch says whether the batch is committed. docs/decisions/0027-torn-transactions.md has the reasons.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

# Not a `ce_` header, so it is no attribute of an event.
NUMBER_HEADER: Final = "transaction"
_COMMIT: Final = b"\x00\x01"  # in the key of Kafka's marker, after two bytes for its version


class NumberedTail:
    """The transactions of a tail, whose batches are added in the order of the log.

    A batch (aiokafka's `DefaultRecordBatch`) is read once: `records` reads those of one number, and only when it is
    called, because most tails are whole.
    """

    def __init__(self) -> None:
        self._open: dict[int, list[Any]] = {}  # by producer id: first record and the other ones, of each batch
        self._ended: list[tuple[int, bool, list[Any]]] = []

    def add(self, batch: Any) -> None:
        """Add the next batch."""
        first = next(batch, None)  # compaction can leave a batch without records
        if batch.is_control_batch:
            if parts := self._open.pop(batch.producer_id, None):
                self._ended.append((number_of(parts[0][0]), first is not None and first.key[2:4] == _COMMIT, parts))
        elif batch.is_transactional and first is not None and number_of(first):
            self._open.setdefault(batch.producer_id, []).append((first, batch))

    def newest(self, *, is_committed: bool = False) -> int:
        """Return the highest number, of all or of the committed transactions; 0 without one."""
        return max((number for number, was, _ in self._ended if was or not is_committed), default=0)

    def records(self, number: int, *, is_committed: bool) -> list[Any]:
        """Return the records of this number, the longest copy of several: complete copies are equal. Call it once."""
        copies = (
            [record for first, batch in parts for record in (first, *iter(partial(next, batch, None), None))]
            for own_number, was_committed, parts in self._ended
            if (own_number, was_committed) == (number, is_committed)
        )
        return max(copies, key=len, default=[])


def number_of(record: Any) -> int:
    """Return the number of the transaction that wrote the record; 0 for a record of another program."""
    name, value = record.headers[-1] if record.headers else ("", b"")
    return int(value) if name == NUMBER_HEADER and value.isdigit() else 0
