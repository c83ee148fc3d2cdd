"""One batch of records: where it begins and ends in each partition, whose rows it needs, and what it says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters.postgres.rows import Keys, Rows
from adapters.postgres.store import Place
from consumers.projector.fold import fold
from consumers.projector.parsing import Ignored, Item, TopicRecord, need, read


@dataclass(slots=True)
class Batch:
    """What one transaction writes."""

    moved: dict[Place, tuple[int, int]] = field(default_factory=dict)
    keys: Keys = field(default_factory=Keys)
    items: list[Item] = field(default_factory=list)
    unreadable: list[tuple[Place, int, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def records(self) -> int:
        """How many records it holds."""
        return self.counts.total()

    def fold(self, rows: Rows) -> None:
        """Change the rows."""
        fold(rows, self.items)


def batch_of(batches: Mapping[Place, Sequence[TopicRecord]], offsets: Mapping[Place, int]) -> Batch:
    """Read the records that are not below the offsets (a late fetch may bring what has been written)."""
    batch = Batch()
    for place, records in batches.items():
        fresh = [record for record in records if record.offset >= offsets[place]]
        if not fresh:
            continue
        batch.moved[place] = offsets[place], fresh[-1].offset + 1
        batch.counts[place[0]] += len(fresh)
        for record in fresh:
            item = read(*place, record)
            if not isinstance(item, Ignored):
                batch.items.append(item)
                need(batch.keys, item)
            elif item.problem is not None:
                batch.unreadable.append((place, record.offset, item.problem))
    return batch
