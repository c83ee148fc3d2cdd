"""One batch of records: its offsets in each partition, the keys of the rows that it needs, and its parsed items."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.postgres.rows import RowKeys, Rows
from adapters.postgres.store import PartitionKey
from consumers.projector.fold import fold
from consumers.projector.parsing import Ignored, Item, add_keys, parse
from schemas.records import TopicRecord


@dataclass(slots=True)
class Batch:
    """The contents of one transaction. `moved` holds each partition's next offset before and after."""

    read: dict[PartitionKey, Sequence[TopicRecord]] = field(default_factory=dict)
    moved: dict[PartitionKey, tuple[int, int]] = field(default_factory=dict)
    keys: RowKeys = field(default_factory=RowKeys)
    items: list[Item] = field(default_factory=list)
    unreadable: list[tuple[PartitionKey, int, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        """The number of records in the batch."""
        return self.counts.total()

    def written(self, positions: Mapping[PartitionKey, int]) -> dict[PartitionKey, int]:
        """Return the offsets below which all is written, if this batch is all that was read but not written."""
        return {**positions, **{key: before for key, (before, _) in self.moved.items()}}

    def singles(self) -> Iterator["Batch"]:
        """Yield a batch for each record, in the order of each partition."""
        for key, records in self.read.items():
            before, _ = self.moved[key]
            for record in records:
                yield batch_of({key: [record]}, {key: before})
                before = record.offset + 1

    def set_aside(self, problem: str) -> None:
        """Leave out the one record of this batch: its offset passes, without a change of rows."""
        ((key, (record,)),) = self.read.items()
        self.items, self.keys, self.unreadable = [], RowKeys(), [(key, record.offset, problem)]

    def fold(self, rows: Rows) -> None:
        """Apply the items to the rows."""
        fold(rows, self.items)


def batch_of(batches: Mapping[PartitionKey, Sequence[TopicRecord]], offsets: Mapping[PartitionKey, int]) -> Batch:
    """Parse the records at or above the offsets. A late fetch may return records that are already written."""
    batch = Batch()
    for key, records in batches.items():
        fresh = [record for record in records if record.offset >= offsets[key]]
        if not fresh:
            continue
        batch.read[key] = fresh
        batch.moved[key] = offsets[key], fresh[-1].offset + 1
        batch.counts[key[0]] += len(fresh)
        for record in fresh:
            item = parse(*key, record)
            if not isinstance(item, Ignored):
                batch.items.append(item)
                add_keys(batch.keys, item)
            elif item.problem is not None:
                batch.unreadable.append((key, record.offset, item.problem))
    return batch
