"""The way into Kafka: one idempotent producer, thrown away and built anew whenever a send fails.

    append ──▶ away? full? partition in doubt? ──▶ send, await ──▶ Appended
                  │ answered at once                  │ failed: the partition is in doubt, a new producer is built
                  ▼                                   ▼
              NotAppended                         NotAppended (unless certain, the record may still be written)

What a failed send leaves behind (kafka.md): a sequence with a hole answers OutOfOrderSequence for ever, a fatal state
answers AssertionError for ever, a batch is retried for ever. A new producer cures all three. A partition in doubt lets
one record through at a time until one is written, so that an outage costs one waiting caller per partition.
Invariant: Appended means on all in-sync copies (acks=all); everything else means unknown or not written.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from adapters.kafka.clients import KafkaFailure
from gateway.ingress.http.deadlines import Deadlines
from runtime.logs import get_log
from runtime.metrics import IngressMetrics

Headers = tuple[tuple[str, bytes], ...]

CONNECT_SECONDS = 5.0
PROBE_EVERY_SECONDS = 1.0
# A dead broker refuses at once. One that is only late would be taken for away, and every caller be refused.
PROBE_SECONDS = 3.0
FIRST_BACKOFF_SECONDS = 0.25
LONGEST_BACKOFF_SECONDS = 4.0
# An idempotent producer idle for 7 days is refused by the broker; one a day old has not been.
IDLE_SECONDS = 24 * 60 * 60.0

log = get_log()


class Metadata(Protocol):
    """Where a record was written."""

    @property
    def offset(self) -> int:
        """The record's offset in its partition."""


class Producer(Protocol):
    """What is needed of a Kafka producer."""

    async def send(
        self, topic: str, value: bytes, *, key: bytes, partition: int, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[Metadata]:
        """Queue a record; the future is set once it is written."""


class Kafka(Protocol):
    """How producers are made, asked and stopped."""

    async def connect(self) -> Producer:
        """Start a producer that knows the topic's leaders."""

    async def probe(self, producer: Producer) -> None:
        """Ask the cluster anything; raise if no answer comes."""

    async def drop(self, producer: Producer) -> None:
        """Stop a producer within a bound, whatever its state."""


class Appends(Protocol):
    """What those need who write commands."""

    @property
    def is_up(self) -> bool:
        """Whether a record may be offered now."""

    async def append(self, partition: int, key: bytes, value: bytes, headers: Headers) -> "Appended | NotAppended":
        """Write one record and return when it is written, or why it is not known to be."""


class Reason(StrEnum):
    """Why a record was not appended."""

    AWAY = "kafka_away"
    IN_DOUBT = "partition_in_doubt"
    FULL = "publishes"
    SLOW = "deadline"
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Appended:
    """The record is on all in-sync copies."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class NotAppended:
    """The record was not confirmed; `is_certain` says that it was never handed to Kafka."""

    reason: Reason
    retry_after_seconds: float
    is_certain: bool


@dataclass(slots=True, eq=False)
class _Generation:
    """One producer and what is under way with it."""

    producer: Producer
    in_flight: int = 0
    used_at: float = 0.0
    written_at: float = float("-inf")
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Publisher:
    """Appends records to one topic. `run` must run as a task; `append` never raises for what Kafka does."""

    def __init__(
        self,
        topic: str,
        kafka: Kafka,
        metrics: IngressMetrics,
        deadlines: Deadlines,
        *,
        deadline_seconds: float,
        max_in_flight: int,
        on_state: Callable[[bool, str], None] = lambda _is_up, _detail: None,
    ) -> None:
        self._topic = topic
        self._kafka = kafka
        self._metrics = metrics
        self._deadlines = deadlines
        self._deadline_seconds = deadline_seconds
        self._max_in_flight = max_in_flight
        self._on_state = on_state
        self._current: _Generation | None = None
        self._is_reachable = False
        self._is_stopping = False
        self._in_flight = 0
        self._doubted: dict[int, bool] = {}  # partition -> a trial is under way
        self._broken = asyncio.Event()
        self._retiring: set[asyncio.Task[None]] = set()
        metrics.publishes_in_flight.set_function(lambda: self._in_flight)

    @property
    def is_up(self) -> bool:
        """Whether a record may be offered now."""
        return self._current is not None and self._is_reachable and not self._is_stopping

    async def append(self, partition: int, key: bytes, value: bytes, headers: Headers) -> Appended | NotAppended:
        """Write one record and return when it is written, or why it is not known to be."""
        generation = self._current
        if generation is None or not self.is_up:
            return self._refuse(Reason.STOPPING if self._is_stopping else Reason.AWAY)
        if self._in_flight >= self._max_in_flight:
            return self._refuse(Reason.FULL)
        if not self._doubted or partition not in self._doubted:
            return await self._send(generation, partition, key, value, headers)
        if self._doubted[partition]:
            return self._refuse(Reason.IN_DOUBT)
        self._doubted[partition] = True
        try:
            tried = await self._send(generation, partition, key, value, headers)
        finally:
            self._doubted[partition] = False
        if isinstance(tried, Appended):
            del self._doubted[partition]
        return tried

    async def _send(
        self, generation: _Generation, partition: int, key: bytes, value: bytes, headers: Headers
    ) -> Appended | NotAppended:
        self._in_flight += 1
        generation.in_flight += 1
        started = time.monotonic()
        deadline = self._deadlines.start(self._deadline_seconds)
        try:
            # Two steps: the first ends when the record is queued, the second when it is written.
            queued = await generation.producer.send(
                self._topic, value, key=key, partition=partition, headers=list(headers)
            )
            written = await queued
        except asyncio.CancelledError:
            if not deadline.claim():
                raise
            return self._fail(generation, partition, Reason.SLOW, "no confirmation within the publish deadline")
        except KafkaFailure as error:
            return self._fail(generation, partition, Reason.FAILED, type(error).__name__)
        finally:
            self._deadlines.end(deadline)
            now = generation.used_at = time.monotonic()
            self._in_flight -= 1
            generation.in_flight -= 1
            if generation.in_flight == 0:
                generation.idle.set()
        self._metrics.publish_seconds.observe(now - started)
        generation.written_at = now
        return Appended(partition, written.offset)

    def _refuse(self, reason: Reason) -> NotAppended:
        self._metrics.shed.labels(reason).inc()
        return NotAppended(reason, 1.0 if reason is Reason.FULL else 2.0, is_certain=True)

    def _fail(self, generation: _Generation, partition: int, reason: Reason, error: str) -> NotAppended:
        self._metrics.publish_failures.labels(reason).inc()
        self._doubted.setdefault(partition, False)
        if generation is self._current and not self._broken.is_set():
            log.warning("publish failed", partition=partition, reason=str(reason), error=error)
            self._broken.set()
        return NotAppended(reason, 1.0, is_certain=False)

    async def run(self) -> None:
        """Keep a working producer until cancelled."""
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            replacement = await self._connect()
            if replacement is None:
                self._say_away("no broker answers")
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)
                continue
            self._replace(replacement)
            lived = await self._watch(replacement)
            backoff = FIRST_BACKOFF_SECONDS if lived > LONGEST_BACKOFF_SECONDS else backoff
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    async def _connect(self) -> _Generation | None:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                producer = await self._kafka.connect()
        except KafkaFailure as error:
            log.warning("no producer", error=type(error).__name__)
            return None
        return _Generation(producer, used_at=time.monotonic())

    def _replace(self, generation: _Generation) -> None:
        retired, self._current = self._current, generation
        self._broken.clear()
        if retired is not None:
            self._metrics.producer_rebuilds.inc()
            self._retire(retired)
        self._set_reachable("")

    async def _watch(self, generation: _Generation) -> float:
        """Return, with its age in seconds, when the producer has to be replaced."""
        since = time.monotonic()
        while not self._broken.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_EVERY_SECONDS):
                    await self._broken.wait()
            if time.monotonic() - generation.used_at > IDLE_SECONDS:
                break
            # What was written a moment ago tells more than a question would, also when a busy broker answers late.
            if not self._broken.is_set() and time.monotonic() - generation.written_at > PROBE_EVERY_SECONDS:
                await self._probe(generation)
        return time.monotonic() - since

    async def _probe(self, generation: _Generation) -> None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._kafka.probe(generation.producer)
        except KafkaFailure as error:
            self._say_away(f"{type(error).__name__} when asked for its topics")
        else:
            self._set_reachable("")

    def _set_reachable(self, detail: str) -> None:
        if not self._is_reachable:
            log.info("kafka reachable")
        self._is_reachable = True
        self._on_state(True, detail)

    def _say_away(self, detail: str) -> None:
        if self._is_reachable:
            log.warning("kafka unreachable", detail=detail)
        self._is_reachable = False
        self._on_state(False, detail)

    def _retire(self, generation: _Generation) -> None:
        task = asyncio.create_task(self._finish(generation, self._deadline_seconds), name="retire-producer")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _finish(self, generation: _Generation, seconds: float) -> None:
        """Let what is under way with a producer end, then drop it."""
        if generation.in_flight:
            generation.idle.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await generation.idle.wait()
        await self._kafka.drop(generation.producer)

    async def close(self) -> None:
        """Refuse new records, let those under way end within the deadline, stop every producer."""
        self._is_stopping = True
        if self._current is not None:
            retired, self._current = self._current, None
            self._retire(retired)
        if self._retiring:
            await asyncio.wait(set(self._retiring))
