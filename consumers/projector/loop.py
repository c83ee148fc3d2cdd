"""The projector's loop: one batch per transaction, until the process stops. It waits while Kafka or PostgreSQL is away.

    offsets from SQL ─▶ seek ─▶ ┌ read ─▶ write ─▶ ┐        after a failure: pause, reconnect, and
                                └──────────────────┘        start again from the offsets in SQL

Nothing in memory survives a failure; the position to resume from is in SQL.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from adapters.kafka.clients import KafkaFailure, sentence_of
from adapters.kafka.topic_reader import TopicReader
from adapters.postgres.database import DatabaseAway, NotMigrated, connected
from adapters.postgres.schema_version import require_schema
from adapters.postgres.store import SWEEPS, PartitionKey, StaleOffsets, Store, UnwritableRows
from consumers.projector.batch import Batch, batch_of
from consumers.projector.lag_poller import LagPoller, cancel
from consumers.projector.source import open_source
from runtime.health import State
from runtime.outages.outage import Outage
from runtime.process import Process
from runtime.settings import ProcessSettings
from schemas.topics import catalogue

DATABASE, KAFKA, CAUGHT_UP = "database", "kafka", "caught-up"
_STATEMENT_SECONDS = 60.0
# The heartbeat writes one row. A server that hangs shows itself here, long before the time limit of a batch.
_HEARTBEAT_SECONDS = 8.0
# A batch has about ten statements. Together they end before the liveness probe sees no progress.
_BATCH_SECONDS = 120.0
_RETRY_SECONDS = 1.0
# A transaction of a few records costs almost as much as one of a hundred: a small batch waits for more.
_GATHER_SECONDS, _SMALL_BATCH = 0.05, 100
# The request for the ends of the topics waits behind a fetch of half a second at most.
_SILENT_SECONDS = 5.0
# A projector with stale offsets pauses longer; otherwise two live projectors would do all work twice.
_CONFLICT_SECONDS = 5.0
_SWEEP_SECONDS = 600.0
_SWEEP_ROWS = 2_000
_BEAT_SECONDS = 180.0

# A batch creates tens of thousands of objects: with Python's default, a third of all CPU time went to the collector.
GC_THRESHOLD = 100_000


class OtherTopic(Exception):
    """The stored offset is of another topic or log. The message says how this was seen."""


class ProjectorLoop:
    """One projector of one schema.

    With `until` (a rebuild) the loop ends once everything below these offsets is written. `on_progress` receives the
    offsets after each transaction.
    """

    def __init__(
        self,
        settings: ProcessSettings,
        process: Process,
        *,
        schema: str | None = None,
        until: Mapping[PartitionKey, int] | None = None,
        on_progress: Callable[[Mapping[PartitionKey, int]], None] = lambda _: None,
    ) -> None:
        self._settings, self._process = settings, process
        self._metrics = process.metrics.readmodel
        self._schema = schema or settings.readmodel.schema_name
        self._until = until
        self._on_progress = on_progress
        self._beat = process.health.beat("projector", _BEAT_SECONDS)
        self._outages = {KAFKA: Outage("kafka", process.log), DATABASE: Outage("database", process.log)}
        self._deleted_at = time.monotonic()
        self._topic_ids: Mapping[PartitionKey, str] = {}  # at the start
        self._ends: Mapping[PartitionKey, int] | None = None  # at the last poll
        self.is_done = False

    async def run(self) -> None:
        """Project until the process stops or `until` is reached."""
        while not (self._process.stop.is_set() or self.is_done):
            self._beat()
            if seconds := await self._run_once():
                await self._pause(seconds)

    async def _run_once(self) -> float:
        """Work until something fails; return the seconds to pause before the next try."""
        settings, log = self._settings, self._process.log
        try:
            async with connected(
                settings.readmodel, self._schema, "projector writes", statement_seconds=_STATEMENT_SECONDS
            ) as connection:
                await require_schema(connection)
                self._set_database("ok")
                topics = catalogue(settings.topics.prefix)
                async with open_source(settings.kafka, topics, settings.topics.partitions) as source:
                    await self._project(source, Store(connection))
            return 0.0  # noqa: TRY300 - the one way to end without a failure
        except DatabaseAway as away:
            self._set_database("waiting", str(away))
            log.warning("projector.database_unreachable", reason=str(away), retry_seconds=_RETRY_SECONDS)
        except NotMigrated as outdated:
            self._set_database("waiting", str(outdated))
            log.warning("projector.schema_rejected", reason=str(outdated), retry_seconds=_RETRY_SECONDS)
        except KafkaFailure as failure:
            detail = sentence_of(failure)
            self._set_kafka(detail)
            log.warning("projector.kafka_failed", reason=detail, retry_seconds=_RETRY_SECONDS)
        except StaleOffsets:
            self._metrics.stale_offsets.inc()
            reason = "another projector has written the same records"
            log.warning("projector.batch_rolled_back", reason=reason, retry_seconds=_CONFLICT_SECONDS)
            return _CONFLICT_SECONDS
        except OtherTopic as other:
            self._process.health.set(CAUGHT_UP, "failed", str(other))
            remedy = "gateway projector --rebuild"
            log.error("projector.other_topic", reason=str(other), remedy=remedy)  # noqa: TRY400 - no traceback
            return _CONFLICT_SECONDS
        return _RETRY_SECONDS

    async def _project(self, source: TopicReader[PartitionKey], store: Store) -> None:
        """Write one batch while the next is read. A failure discards both."""
        offsets = await self._start(source, store)
        lag_poller = LagPoller(source)
        batch = await self._read(source, offsets)
        following: asyncio.Task[Batch] | None = None
        try:
            while not self._process.stop.is_set():
                self._beat()
                await self._report_lag(source, store, lag_poller, batch)
                if self.is_done:
                    return
                offsets.update((partition, after) for partition, (_, after) in batch.moved.items())
                following = asyncio.create_task(self._read(source, offsets, after=batch))
                if batch.moved:
                    await self._write_or_set_aside(store, batch)
                    self._on_progress(offsets)
                if time.monotonic() - self._deleted_at >= _SWEEP_SECONDS:
                    await self._sweep(store)
                batch = await following
        finally:
            await lag_poller.close()
            if following is not None:
                await cancel(following)

    async def _read(
        self, source: TopicReader[PartitionKey], offsets: Mapping[PartitionKey, int], *, after: Batch | None = None
    ) -> Batch:
        if after is not None and after.records < _SMALL_BATCH:
            await asyncio.sleep(_GATHER_SECONDS)
        return batch_of(await source.read(self._settings.readmodel.batch), offsets)

    async def _start(self, source: TopicReader[PartitionKey], store: Store) -> dict[PartitionKey, int]:
        self._topic_ids = await source.topic_ids()
        positions = await store.positions(self._topic_ids)
        beginnings, ends = await source.beginnings(), await source.ends()
        offsets = {}
        for key, (offset, topic_id) in positions.items():
            offsets[key] = offset
            if topic_id != self._topic_ids[key]:
                raise OtherTopic(f"{key[0]} was created again: the read model is of the topic with the id {topic_id}")
            if offset > ends[key]:
                raise OtherTopic(f"{key[0]}-{key[1]} ends at {ends[key]}, but the read model is at {offset}")
            if 0 < offset < beginnings[key]:
                lost = beginnings[key] - offset
                self._process.log.error("projector.records_missed", topic=key[0], partition=key[1], records=lost)
        source.seek({key: max(offset, beginnings[key]) for key, offset in offsets.items()})
        lag = sum(ends.values()) - sum(offsets.values())
        self._process.log.info("projector.projection_started", schema=self._schema, lag=lag)
        return offsets

    async def _write_or_set_aside(self, store: Store, batch: Batch) -> None:
        """Write a batch; if PostgreSQL refuses it, record by record, and without the records that it refuses."""
        try:
            await self._write(store, batch)
        except UnwritableRows:
            for single in batch.singles():
                self._beat()
                try:
                    await self._write(store, single)
                except UnwritableRows as unwritable:
                    single.set_aside(f"its rows cannot be written: {unwritable}")
                    await self._write(store, single)

    async def _write(self, store: Store, batch: Batch) -> None:
        began = time.perf_counter()
        async with asyncio.timeout(_BATCH_SECONDS):
            await store.write(batch.moved, batch.keys, batch.fold)
        metrics = self._metrics
        metrics.transaction_seconds.observe(time.perf_counter() - began)
        metrics.transaction_records.observe(batch.records)
        for topic, count in batch.counts.items():
            metrics.records.labels(topic).inc(count)
        for (topic, partition), offset, problem in batch.unreadable:
            metrics.unreadable.labels(topic).inc()
            self._process.log.error(
                "projector.record_skipped", topic=topic, partition=partition, offset=offset, problem=problem
            )

    async def _report_lag(
        self, source: TopicReader[PartitionKey], store: Store, lag_poller: LagPoller, unwritten: Batch
    ) -> None:
        """Publish the lag in health, metrics and SQL; check for `until`. Call while no read is running.

        Under load new records always wait. So the read model has caught up when it has what existed at the poll before.
        """
        poll = lag_poller.result()
        if poll is None and self._until is None:
            if lag_poller.silent_seconds > _SILENT_SECONDS:
                self._set_kafka(f"no broker has answered for {lag_poller.silent_seconds:.0f} s")
            return
        positions = await source.positions()
        written = unwritten.written(positions)
        self.is_done = self._until is not None and _contains(written, self._until)
        if poll is None:
            return
        if poll.topic_ids != self._topic_ids:
            raise OtherTopic("a topic was created again")  # the next start says which
        ends = poll.ends
        earlier_ends, self._ends = self._ends, ends
        lag = unwritten.records + sum(max(0, end - positions[key]) for key, end in ends.items())
        health = self._process.health
        self._set_kafka(None)
        self._metrics.lag.set(lag)
        async with asyncio.timeout(_HEARTBEAT_SECONDS):
            await store.heartbeat(lag)
        caught_up = health.component(CAUGHT_UP)
        has_failed = caught_up is not None and caught_up.state == "failed"
        if has_failed or (earlier_ends is not None and _contains(written, earlier_ends)):
            health.set(CAUGHT_UP, "ok")

    async def _sweep(self, store: Store) -> None:
        self._deleted_at = time.monotonic()
        deleted = await sweep(store, self._settings.readmodel.retention.total_seconds(), self._beat)
        for table, count in deleted.items():
            self._metrics.rows_deleted.labels(table).inc(count)
        if any(deleted.values()):
            self._process.log.info("projector.rows_deleted", **deleted)
        if rows := await store.repair_labels(self._beat):
            self._process.log.info("projector.labels_repaired", rows=rows)

    def _set_database(self, state: State, detail: str = "") -> None:
        self._process.health.set(DATABASE, state, detail)
        self._metrics.away.set(state != "ok")
        self._outages[DATABASE].report(detail if state != "ok" else None)

    def _set_kafka(self, problem: str | None) -> None:
        self._process.health.set(KAFKA, "ok" if problem is None else "waiting", problem or "")
        self._process.metrics.process.kafka_away.set(problem is not None)
        self._outages[KAFKA].report(problem)

    async def _pause(self, seconds: float) -> None:
        stopping = asyncio.create_task(self._process.stop.wait())
        await asyncio.wait({stopping}, timeout=seconds)
        stopping.cancel()


def _contains(written: Mapping[PartitionKey, int], ends: Mapping[PartitionKey, int]) -> bool:
    return all(written[key] >= end for key, end in ends.items())


async def sweep(store: Store, retention_seconds: float, beat: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Delete the finished rows that are older than the retention, in pieces; return the number of rows by table."""
    before = datetime.now(UTC) - timedelta(seconds=retention_seconds)
    deleted = dict.fromkeys(SWEEPS, 0)
    for table in SWEEPS:
        while True:
            beat()
            removed = await store.sweep(table, before, _SWEEP_ROWS)
            deleted[table] += removed
            if removed < _SWEEP_ROWS:
                break
    return deleted
