"""What a start decides about the tails of its topics, where no broker can easily be brought to: old and odd logs."""

from types import SimpleNamespace

from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import PROGRESS_KEY, ProgressRecord, encode
from consumers.engine.core.tail import NUMBER_HEADER, NumberedTail
from consumers.engine.kafka.tails import TopicTail
from consumers.engine.state_store import StateStore
from consumers.engine.torn import mend

PROGRESS = Committed(5, "")


def record(number, key=b"auth_1", value=b"{}"):
    return SimpleNamespace(key=key, value=value, headers=[(NUMBER_HEADER, b"%d" % number)])


class Batch:
    """Records of producer 1, or Kafka's marker."""

    producer_id, is_transactional = 1, True

    def __init__(self, records=(), commits=None):
        self.is_control_batch = commits is not None
        marker = SimpleNamespace(key=b"\x00\x00\x00\x01" if commits else b"\x00\x00\x00\x00", headers=[])
        self._left = iter([marker] if self.is_control_batch else records)

    def __next__(self):
        return next(self._left)


def tail(*transactions, begin=0, end=100):
    """Return a tail of transactions: their records, and whether they are committed."""
    numbered = NumberedTail()
    for records, commits in transactions:
        numbered.add(Batch(records))
        numbered.add(Batch(commits=commits))
    return TopicTail(begin, end, numbered)


class Transactions:
    """Notes what is written."""

    partition = 0

    def __init__(self):
        self.repeated, self.committed, self.counted_from = {}, [], None

    def count_from(self, number, ends):
        self.counted_from = number

    async def repeat(self, parts):
        self.repeated |= parts

    async def commit(self, batch, progress, second_source_at=None):
        self.committed.append((batch, progress))


def progress_of(number, **parts):
    return ProgressRecord(PROGRESS, "id", None, number, parts)


def state_of(number, **parts):
    """Return the committed tail of `state` with the progress of this number."""
    value = encode(PROGRESS, "id", number=number, parts=parts)
    return tail(([record(number), record(number, PROGRESS_KEY, value)], True))


async def mended(tails, found):
    transactions = Transactions()
    states = StateStore()
    return await mend(tails, "state", transactions, states, found), transactions, states


async def test_a_tombstone_that_compaction_has_removed_is_no_loss():
    parts = {"state": (0, 2, 2), "authorizations": (0, 1, 0)}
    tails = {"state": state_of(7, **parts), "authorizations": tail()}
    (found, result), transactions, states = await mended(tails, progress_of(7, **parts))
    assert (result, transactions.committed, len(states), found.number) == (None, [], 0, 7)


async def test_a_record_that_had_to_stay_is_a_loss():
    parts = {"state": (0, 2, 2), "events": (0, 1, 1)}
    tails = {"state": state_of(7, **parts), "events": tail()}
    (_, result), _, states = await mended(tails, progress_of(7, **parts))
    assert (result, len(states)) == ("lost", 1)


async def test_an_aborted_half_is_healed_also_when_retention_has_passed_the_begin():
    parts = {"state": (0, 2, 2), "events": (9, 1, 1)}
    half = [record(7)]
    tails = {"state": state_of(7, **parts), "events": tail((half, False), begin=11)}
    (_, result), transactions, _ = await mended(tails, progress_of(7, **parts))
    assert (result, transactions.repeated) == ("healed", {"events": half})


async def test_numbers_begin_above_those_that_no_progress_names():
    _, transactions, _ = await mended({"state": tail(), "events": tail()}, progress_of(0))
    assert transactions.counted_from > 1_700_000_000_000
    _, transactions, _ = await mended({"state": tail(), "events": tail()}, progress_of(7))
    assert transactions.counted_from == 7
