"""The publisher: appends records with one idempotent producer, and replaces the producer after every failed send.

    append ──▶ away? full? partition in doubt? ──▶ send, await ──▶ Appended
                  │ yes: respond immediately          │ failed: mark the partition as in doubt, replace the producer
                  ▼                                   ▼
              NotAppended                         NotAppended (unless certain, the record may still be written)

A failed send breaks a producer in one of three ways (docs/kafka-notes.md): each send fails with OutOfOrderSequence, or
with AssertionError, or one batch is retried without a limit. A new producer repairs all three. A partition in doubt
accepts one record at a time until one is written, so an outage delays one caller per partition.
Invariant: Appended means on all in-sync replicas (acks=all). Every other result means unknown or not written.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters.kafka.clients import KafkaFailure
from gateway.ingress.api_http.deadlines import Deadlines
from gateway.ingress.commands.appending import Appended, AppendFailure, Headers, NotAppended
from runtime.logs import get_log
from runtime.metrics import IngressMetrics
from runtime.outages.outage import Outage

CONNECT_SECONDS = 5.0
PROBE_EVERY_SECONDS = 1.0
# A dead broker refuses connections immediately. With a shorter timeout a slow broker would look dead, and every
# request would get 503.
PROBE_SECONDS = 3.0
TOPIC_EVERY_SECONDS = 3.0
MIN_BACKOFF_SECONDS = 0.25
MAX_BACKOFF_SECONDS = 4.0
# Brokers forget an idempotent producer after 7 idle days and reject its next record.
MAX_IDLE_SECONDS = 24 * 60 * 60.0

log = get_log()


class Producer(Protocol):
    """The method of a Kafka producer that is used."""

    async def send(
        self, topic: str, value: bytes, *, key: bytes, partition: int, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[Any]:
        """Queue a record; the future completes with its offset when the record is written."""


class ProducerFactory(Protocol):
    """Starts, probes and stops producers."""

    async def connect(self) -> Producer:
        """Start a producer that knows the topic's leaders."""

    async def probe(self, producer: Producer) -> None:
        """Send any request to the cluster; raise if no response comes."""

    async def topic_id(self, producer: Producer) -> str:
        """Return the topic's id: a topic that is created again has another one."""

    async def drop(self, producer: Producer) -> None:
        """Stop a producer within a bound, in any state."""


@dataclass(slots=True, eq=False)
class _OpenProducer:
    """One producer and its sends in flight."""

    producer: Producer
    in_flight: int = 0
    used_at: float = 0.0
    written_at: float = float("-inf")
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Publisher:
    """Appends records to one topic. `run` must run as a task; `append` raises no error of Kafka."""

    def __init__(
        self,
        topic: str,
        producers: ProducerFactory,
        metrics: IngressMetrics,
        deadlines: Deadlines,
        *,
        deadline_seconds: float,
        max_in_flight: int,
        on_state: Callable[[bool, str], None] = lambda _is_up, _detail: None,
        on_doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._topic = topic
        self._producers = producers
        self._metrics = metrics
        self._deadlines = deadlines
        self._deadline_seconds = deadline_seconds
        self._max_in_flight = max_in_flight
        self._on_state = on_state
        self._on_doubt = on_doubt
        self._topic_id: str | None = None  # before the first connect
        self._current: _OpenProducer | None = None
        self._is_reachable = False
        self._outage = Outage("kafka", log, is_on=True)
        self._is_stopping = False
        self._in_flight = 0
        self._in_doubt: dict[int, bool] = {}  # partition -> whether a trial send is running
        self._broken = asyncio.Event()
        self._retiring: set[asyncio.Task[None]] = set()
        metrics.publishes_in_flight.set_function(lambda: self._in_flight)

    @property
    def is_up(self) -> bool:
        """Whether the publisher accepts records now."""
        return self._current is not None and self._is_reachable and not self._is_stopping

    async def append(self, partition: int, key: bytes, value: bytes, headers: Headers) -> Appended | NotAppended:
        """Write one record; return when it is written, or when the write has failed or may have failed."""
        opened = self._current
        if opened is None or not self.is_up:
            return self._reject(AppendFailure.STOPPING if self._is_stopping else AppendFailure.AWAY)
        if self._in_flight >= self._max_in_flight:
            return self._reject(AppendFailure.FULL)
        if partition not in self._in_doubt:
            return await self._send(opened, partition, key, value, headers)
        if self._in_doubt[partition]:
            return self._reject(AppendFailure.IN_DOUBT)
        self._in_doubt[partition] = True
        try:
            result = await self._send(opened, partition, key, value, headers)
        finally:
            self._in_doubt[partition] = False
        if isinstance(result, Appended):
            del self._in_doubt[partition]
        return result

    async def _send(
        self, opened: _OpenProducer, partition: int, key: bytes, value: bytes, headers: Headers
    ) -> Appended | NotAppended:
        self._in_flight += 1
        opened.in_flight += 1
        started = time.monotonic()
        deadline = self._deadlines.start(self._deadline_seconds)
        try:
            # The first await ends when the record is queued, the second when it is written.
            queued = await opened.producer.send(self._topic, value, key=key, partition=partition, headers=list(headers))
            written = await queued
        except asyncio.CancelledError:
            if not deadline.claim():
                raise
            return self._fail(opened, partition, AppendFailure.SLOW, "no confirmation within the publish deadline")
        except KafkaFailure as error:
            return self._fail(opened, partition, AppendFailure.FAILED, type(error).__name__)
        finally:
            self._deadlines.end(deadline)
            now = opened.used_at = time.monotonic()
            self._in_flight -= 1
            opened.in_flight -= 1
            if opened.in_flight == 0:
                opened.idle.set()
        self._metrics.publish_seconds.observe(now - started)
        opened.written_at = now
        return Appended(partition, written.offset)

    def _reject(self, reason: AppendFailure) -> NotAppended:
        self._metrics.shed.labels(reason).inc()
        return NotAppended(reason, 1.0 if reason is AppendFailure.FULL else 2.0, is_certain=True)

    def _fail(self, opened: _OpenProducer, partition: int, reason: AppendFailure, error: str) -> NotAppended:
        self._metrics.publish_failures.labels(reason).inc()
        self._in_doubt.setdefault(partition, False)
        if opened is self._current and not self._broken.is_set():
            log.warning("kafka.publish_failed", partition=partition, reason=str(reason), error=error)
            self._broken.set()
        return NotAppended(reason, 1.0, is_certain=False)

    async def run(self) -> None:
        """Keep a working producer until cancelled."""
        backoff = MIN_BACKOFF_SECONDS
        while True:
            replacement = await self._connect()
            if replacement is None:
                self._set_unreachable("no broker responds")
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
                continue
            self._replace(replacement)
            await self._check_topic(replacement)
            lifetime = await self._watch(replacement)
            backoff = MIN_BACKOFF_SECONDS if lifetime > MAX_BACKOFF_SECONDS else backoff
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)

    async def watch_topic(self) -> None:
        """Call `on_doubt` if the topic was created again, which a producer does not notice. Runs until cancelled."""
        while True:
            await asyncio.sleep(TOPIC_EVERY_SECONDS)
            if self._current is not None:
                await self._check_topic(self._current)

    async def _check_topic(self, opened: _OpenProducer) -> None:
        with contextlib.suppress(*KafkaFailure):
            async with asyncio.timeout(PROBE_SECONDS):
                topic_id = await self._producers.topic_id(opened.producer)
            if self._topic_id not in {None, topic_id}:
                log.warning("kafka.topic_created_again", topic=self._topic, topic_id=topic_id)
                self._on_doubt()
            self._topic_id = topic_id

    async def _connect(self) -> _OpenProducer | None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                producer = await self._producers.connect()
        except KafkaFailure as error:
            log.warning("kafka.producer_failed", error=type(error).__name__)
            return None
        return _OpenProducer(producer, used_at=time.monotonic())

    def _replace(self, opened: _OpenProducer) -> None:
        retired, self._current = self._current, opened
        self._broken.clear()
        if retired is not None:
            self._metrics.producer_rebuilds.inc()
            self._retire(retired)
        self._set_reachable("")

    async def _watch(self, opened: _OpenProducer) -> float:
        """Wait until the producer must be replaced; return its age in seconds."""
        since = time.monotonic()
        while not self._broken.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_EVERY_SECONDS):
                    await self._broken.wait()
            if time.monotonic() - opened.used_at > MAX_IDLE_SECONDS:
                break
            # A recent write proves more than a probe, also when a busy broker responds late to probes.
            if not self._broken.is_set() and time.monotonic() - opened.written_at > PROBE_EVERY_SECONDS:
                await self._probe(opened)
        return time.monotonic() - since

    async def _probe(self, opened: _OpenProducer) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._producers.probe(opened.producer)
        except KafkaFailure as error:
            self._set_unreachable(f"{type(error).__name__} on a metadata request")
        else:
            self._set_reachable("")

    def _set_reachable(self, detail: str) -> None:
        if not self._is_reachable:
            self._on_doubt()  # Kafka may have come back with the volumes of an earlier moment
        self._outage.report(None)
        self._is_reachable = True
        self._on_state(True, detail)

    def _set_unreachable(self, detail: str) -> None:
        self._outage.report(detail)
        self._is_reachable = False
        self._on_state(False, detail)

    def _retire(self, opened: _OpenProducer) -> None:
        task = asyncio.create_task(self._finish(opened, self._deadline_seconds), name="retire-producer")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _finish(self, opened: _OpenProducer, seconds: float) -> None:
        """Wait until the sends in flight have ended, then stop the producer."""
        if opened.in_flight:
            opened.idle.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await opened.idle.wait()
        await self._producers.drop(opened.producer)

    async def close(self) -> None:
        """Reject new records, wait for the sends in flight within the deadline, stop every producer."""
        self._is_stopping = True
        if self._current is not None:
            retired, self._current = self._current, None
            self._retire(retired)
        if self._retiring:
            await asyncio.wait(set(self._retiring))
