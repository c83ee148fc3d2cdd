"""Batch after batch, one transaction each, until told to stop: waits for whichever of Kafka and PostgreSQL is away.

    offsets from SQL ─▶ seek ─▶ ┌ read ─▶ write ─▶ ┐        database away, outrun, Kafka stuck: from the start,
                                └──────────────────┘        after a pause, with one clear line

Nothing is kept across a failure but the intention to try again: where to go on stands in SQL.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapters.kafka.clients import KafkaFailure
from adapters.kafka.topic_reader import TopicReader
from adapters.postgres.database import DatabaseAway, NotMigrated, connected
from adapters.postgres.schema_version import require_head
from adapters.postgres.store import SWEEPS, Place, StaleOffsets, Store
from consumers.projector.batch import Batch, batch_of
from consumers.projector.lag_poller import LagPoller, ended
from consumers.projector.source import open_source
from runtime.health import Health, State
from runtime.logs import Log
from runtime.metrics import ReadModelMetrics
from runtime.settings import ProcessSettings
from schemas.topics import catalogue

DATABASE, KAFKA, CAUGHT_UP = "database", "kafka", "caught-up"
_STATEMENT_SECONDS = 60.0
_AGAIN_SECONDS = 1.0
# Whoever lost a race stands back, so that two live projectors don't do everything twice.
_STAND_BACK_SECONDS = 5.0
_SWEEP_SECONDS = 600.0
_SWEPT_AT_ONCE = 2_000
_BEAT_SECONDS = 180.0


# A batch makes tens of thousands of objects: collecting them took a third of all work.
UNCOLLECTED = 100_000


class TopicTruncated(Exception):
    """A topic ends before what was read of it: it is not the topic that the read model was made from."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a projector works with."""

    settings: ProcessSettings
    health: Health
    metrics: ReadModelMetrics
    log: Log
    stop: asyncio.Event


class Loop:
    """One projector of one schema.

    With `until` it ends once everything below these offsets is written (a rebuild); `told` hears how far it is.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        schema: str | None = None,
        until: Mapping[Place, int] | None = None,
        told: Callable[[Mapping[Place, int]], None] = lambda _: None,
    ) -> None:
        self._parts = parts
        self._schema = schema or parts.settings.readmodel.schema_name
        self._until = until
        self._told = told
        self._beat = parts.health.beat("projector", _BEAT_SECONDS)
        self._swept_at = time.monotonic()
        self.is_done = False

    async def run(self) -> None:
        """Project until told to stop, or done."""
        while not (self._parts.stop.is_set() or self.is_done):
            self._beat()
            if pause := await self._once():
                await self._pause(pause)

    async def _once(self) -> float:
        """Work until something fails; return how long to pause before the next try."""
        settings, log = self._parts.settings, self._parts.log
        try:
            async with connected(settings.readmodel, self._schema, statement_seconds=_STATEMENT_SECONDS) as connection:
                await require_head(connection)
                self._tell_database("ok")
                topics = catalogue(settings.topics.prefix)
                async with open_source(settings.kafka, topics, settings.topics.partitions) as source:
                    await self._work(source, Store(connection))
            return 0.0  # noqa: TRY300 - the one way to end without a failure
        except DatabaseAway as away:
            self._tell_database("waiting", str(away))
            log.warning("waiting for PostgreSQL", reason=str(away), retry_seconds=_AGAIN_SECONDS)
        except NotMigrated as missing:
            self._tell_database("waiting", str(missing))
            log.warning("waiting for the schema", reason=str(missing), retry_seconds=_AGAIN_SECONDS)
        except KafkaFailure as failure:
            detail = f"{type(failure).__name__}: {failure}".removesuffix(": ")
            self._parts.health.set(KAFKA, "waiting", detail)
            log.warning("waiting for Kafka", reason=detail, retry_seconds=_AGAIN_SECONDS)
        except StaleOffsets:
            self._parts.metrics.stale_offsets.inc()
            log.warning("another projector writes too, rolled back", stand_back_seconds=_STAND_BACK_SECONDS)
            return _STAND_BACK_SECONDS
        except TopicTruncated as shorter:
            self._parts.health.set(CAUGHT_UP, "failed", str(shorter))
            remedy = "gateway projector --rebuild"
            log.error("records are not those that were read", reason=str(shorter), remedy=remedy)  # noqa: TRY400 - no traceback
            return _STAND_BACK_SECONDS
        return _AGAIN_SECONDS

    async def _work(self, source: TopicReader[Place], store: Store) -> None:
        """Write one batch while the next is read: what is read ahead is thrown away with whatever fails."""
        offsets = await self._start(source, store)
        looking = LagPoller(source)
        batch = await self._read(source, offsets)
        following: asyncio.Task[Batch] | None = None
        try:
            while not self._parts.stop.is_set():
                self._beat()
                await self._look(source, store, looking, batch)
                if self.is_done:
                    return
                offsets.update((place, after) for place, (_, after) in batch.moved.items())
                following = asyncio.create_task(self._read(source, offsets))
                if batch.moved:
                    await self._write(store, batch)
                    self._told(offsets)
                if time.monotonic() - self._swept_at >= _SWEEP_SECONDS:
                    await self._sweep(store)
                batch = await following
        finally:
            await looking.end()
            if following is not None:
                await ended(following)

    async def _read(self, source: TopicReader[Place], offsets: Mapping[Place, int]) -> Batch:
        return batch_of(await source.read(self._parts.settings.readmodel.batch), offsets)

    async def _start(self, source: TopicReader[Place], store: Store) -> dict[Place, int]:
        offsets = await store.offsets(source.partitions)
        begins, ends = await source.begins(), await source.ends()
        for place, offset in offsets.items():
            if offset > ends[place]:
                raise TopicTruncated(f"{place[0]}-{place[1]} ends at {ends[place]}, and {offset} had been read of it")
            if 0 < offset < begins[place]:
                gone = begins[place] - offset
                self._parts.log.error(
                    "records went before they were read", topic=place[0], partition=place[1], gone=gone
                )
        source.seek({place: max(offset, begins[place]) for place, offset in offsets.items()})
        self._parts.log.info("projecting", schema=self._schema, behind=sum(ends.values()) - sum(offsets.values()))
        return offsets

    async def _write(self, store: Store, batch: Batch) -> None:
        began = time.perf_counter()
        await store.write(batch.moved, batch.keys, batch.fold)
        metrics = self._parts.metrics
        metrics.transaction_seconds.observe(time.perf_counter() - began)
        metrics.transaction_records.observe(batch.records)
        for topic, count in batch.counts.items():
            metrics.records.labels(topic).inc(count)
        for (topic, partition), offset, problem in batch.unreadable:
            metrics.unreadable.labels(topic).inc()
            self._parts.log.error("record unreadable", topic=topic, partition=partition, offset=offset, problem=problem)

    async def _look(self, source: TopicReader[Place], store: Store, looking: LagPoller, unwritten: Batch) -> None:
        """See how far behind we are, and tell everybody. Nothing may be being read meanwhile."""
        if self._until is not None and not unwritten.moved:
            positions = await source.positions()
            self.is_done = all(positions[place] >= end for place, end in self._until.items())
        ends = looking.ends()
        if ends is None:
            return
        positions = await source.positions()
        behind = unwritten.records + sum(max(0, end - positions[place]) for place, end in ends.items())
        self._parts.health.set(KAFKA, "ok")
        self._parts.metrics.lag.set(behind)
        await store.pulse(behind)
        caught_up = self._parts.health.component(CAUGHT_UP)
        if not behind or (caught_up is not None and caught_up.state == "failed"):
            self._parts.health.set(CAUGHT_UP, "ok")

    async def _sweep(self, store: Store) -> None:
        self._swept_at = time.monotonic()
        swept = await sweep(store, self._parts.settings.readmodel.retention.total_seconds(), self._beat)
        for table, count in swept.items():
            self._parts.metrics.rows_deleted.labels(table).inc(count)
        if any(swept.values()):
            self._parts.log.info("swept", **swept)

    def _tell_database(self, state: State, detail: str = "") -> None:
        self._parts.health.set(DATABASE, state, detail)
        self._parts.metrics.away.set(state != "ok")

    async def _pause(self, seconds: float) -> None:
        waiting = asyncio.create_task(self._parts.stop.wait())
        await asyncio.wait({waiting}, timeout=seconds)
        waiting.cancel()


async def sweep(store: Store, retention_seconds: float, told: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Delete what is over and older than that, piece by piece; return how many rows of which table."""
    before = datetime.now(UTC) - timedelta(seconds=retention_seconds)
    swept = dict.fromkeys(SWEEPS, 0)
    for table in SWEEPS:
        while True:
            told()
            deleted = await store.sweep(table, before, _SWEPT_AT_ONCE)
            swept[table] += deleted
            if deleted < _SWEPT_AT_ONCE:
                break
    return swept
