"""Eleven bugs to plant in an engine, to prove that the checker finds them. Each is a plausible mistake.

`with plant("no fencing"): …` patches the engine's classes in this process.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from unittest import mock

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from consumers.engine import startup
from consumers.engine.core.fetch_buffer import FetchBuffer
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import RESERVED_KEYS, GroupCopy, KnownProgress
from consumers.engine.kafka.membership import GroupMembership
from consumers.engine.kafka.transactions import Transactions
from consumers.engine.partition import Partition
from consumers.engine.session import PartitionSession
from consumers.engine.settings import EngineSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from consumers.engine.core.commit_queue import PendingCommit
    from consumers.engine.startup import StartedPartition

_PLANTS: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {}


def plant(bug: str) -> contextlib.AbstractContextManager[object]:
    """Plant a bug by its name."""
    return _PLANTS[bug]()


def _plant(bug: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def note(make: Callable[[], Any]) -> Callable[[], Any]:
        _PLANTS[bug] = make
        return make

    return note


@_plant("commit before the outcome")
def _commit_before_the_outcome() -> object:
    commit = Transactions.commit

    async def progress_first(
        self: Transactions, batch: Sequence[PendingCommit], progress: Committed, _: float | None = None
    ) -> float:
        await commit(self, (), progress)
        return await commit(self, batch, progress)

    return mock.patch.object(Transactions, "commit", progress_first)


@_plant("progress outside the transaction")
def _progress_outside_the_transaction() -> object:
    commit = Transactions.commit

    async def progress_last(
        self: Transactions, batch: Sequence[PendingCommit], progress: Committed, _: float | None = None
    ) -> float:
        await commit(self, batch, getattr(self, "before", Committed(0, "")))
        seconds = await commit(self, (), progress)
        self.before = progress  # type: ignore[attr-defined]
        return seconds

    return mock.patch.object(Transactions, "commit", progress_last)


@_plant("the group's copy read where the record counts")
def _copy_read() -> object:
    def copy_only(_: bytes | None, copy: GroupCopy | None, *, topic: str, has_states: bool) -> KnownProgress:
        del topic, has_states
        return KnownProgress(None if copy is None else Committed(copy.offset, ""))

    return mock.patch.object(startup, "combine", copy_only)


@_plant("keep by an old marker")
def _keep_by_an_old_marker() -> object:
    async def by_the_marker_of_the_start(_: PartitionSession) -> None:
        pass

    return mock.patch.object(PartitionSession, "prove_sole_producer", by_the_marker_of_the_start)


@_plant("live state in the batch")
@contextlib.contextmanager
def _live_state_in_the_batch() -> Iterator[None]:
    commit = Transactions._commit
    begin = Partition._begin_session

    def begin_and_share(self: Partition, started: StartedPartition) -> PartitionSession:
        started.transactions.live = started.states  # type: ignore[attr-defined]
        return begin(self, started)

    async def commit_live(self: Transactions, rows: Iterable[Any], topics: Iterable[str] = ()) -> dict[str, int]:
        def live(topic: str, key: bytes, value: bytes, *rest: Any) -> tuple[Any, ...]:
            if topic != self._state_topic or key in RESERVED_KEYS:
                return (topic, key, value, *rest)
            return (topic, key, self.live.get(key), *rest)  # type: ignore[attr-defined]

        return await commit(self, [live(*row) for row in rows], topics)

    with (
        mock.patch.object(Transactions, "_commit", commit_live),
        mock.patch.object(Partition, "_begin_session", begin_and_share),
    ):
        yield


@_plant("no fencing")
def _no_fencing() -> object:
    def different_each_time(_: EngineSettings, partition: int) -> str:
        return f"{partition}-{uuid.uuid4()}"

    return mock.patch.object(EngineSettings, "transactional_id", different_each_time)


@_plant("no membership check")
@contextlib.contextmanager
def _no_membership_check() -> Iterator[None]:
    async def confirm(_: GroupMembership) -> bool:
        return True

    with mock.patch.object(GroupMembership, "confirm", confirm), mock.patch.object(GroupMembership, "is_trusted", True):
        yield


@_plant("treat fenced as lost")
def _treat_fenced_as_lost() -> object:
    commit = Partition._commit_while_valid

    async def commit_or_give_up(self: Partition) -> None:
        try:
            await commit(self)
        except ProducerFenced:
            self.close()
            raise

    return mock.patch.object(Partition, "_commit_while_valid", commit_or_give_up)


@_plant("event outside the transaction")
@contextlib.contextmanager
def _event_outside_the_transaction() -> Iterator[None]:
    commit = Transactions._commit
    begin = Partition._begin_session

    def begin_and_share(self: Partition, started: StartedPartition) -> PartitionSession:
        started.transactions.client = self._settings.client  # type: ignore[attr-defined]
        return begin(self, started)

    async def send_immediately(self: Transactions, rows: Iterable[Any], topics: Iterable[str] = ()) -> dict[str, int]:
        all_rows = list(rows)
        outputs = [row for row in all_rows if row[0] != self._state_topic]
        if outputs:
            async with AIOKafkaProducer(**self.client()) as producer:  # type: ignore[attr-defined]
                for topic, key, value, *_ in outputs:
                    await producer.send_and_wait(topic, value, key=key, partition=self.partition)
        return await commit(self, [row for row in all_rows if row[0] == self._state_topic], topics)

    with (
        mock.patch.object(Transactions, "_commit", send_immediately),
        mock.patch.object(Partition, "_begin_session", begin_and_share),
    ):
        yield


@_plant("watermark over a gap")
def _watermark_over_a_gap() -> object:
    return mock.patch.object(FetchBuffer, "committed", lambda self: Committed(self._tracker.next_offset, ""))


@_plant("record delivered to an old assignment")
@contextlib.contextmanager
def _record_delivered_to_an_old_assignment() -> Iterator[None]:
    """Deliver records after a start that were fetched before it; the start resumes at another offset."""
    feed, begin = Partition.feed, Partition._begin_session
    fetched: dict[int, list[Any]] = defaultdict(list)

    def feed_and_keep(self: Partition, records: Sequence[Any]) -> None:
        fetched[self.source.partition] += records
        feed(self, records)

    def begin_and_deliver(self: Partition, started: StartedPartition) -> PartitionSession:
        session = begin(self, started)
        late = fetched.pop(self.source.partition, [])
        feed(self, late[len(late) // 2 :])
        return session

    with (
        mock.patch.object(Partition, "feed", feed_and_keep),
        mock.patch.object(Partition, "_begin_session", begin_and_deliver),
    ):
        yield
