"""The floor of the engine: consume, call, produce exactly once, one transactional id per partition, nothing else.

It has no restore, no membership check, no timers, no memory limit and no recovery: an error ends it. It shares the
unavoidable costs with the engine: a task per busy key, group commit, a bitmap of finished records, a pause per commit.
"""

import asyncio
import base64
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.structs import OffsetAndMetadata

_MAX_PENDING = 2_000
_BATCH = 500
_PAUSE_SECONDS = 0.002


class BarePartition:
    """A partition of the loop."""

    def __init__(self, loop: "BareLoop", source: TopicPartition) -> None:
        self._loop = loop
        self._source = source
        self._queues: dict[bytes, deque[ConsumerRecord]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: list[ConsumerRecord] = []
        self._intents: list[tuple[ConsumerRecord, asyncio.Future[None]]] = []
        self._order: deque[int] = deque()
        self._beyond: set[int] = set()
        self._wake = asyncio.Event()
        self._is_paused = False
        self.is_ready = False

    async def run(self) -> None:
        """Start the producer, then commit until canceled."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._loop.bootstrap,
            transactional_id=f"{self._loop.group}-{self._source.partition}",
            transaction_timeout_ms=15_000,
            acks="all",
            linger_ms=0,
            max_batch_size=1 << 18,
        )
        async with producer:
            self._loop.consumer.seek(self._source, 0)
            self.is_ready = True
            self._loop.consumer.resume(self._source)
            while True:
                if not self._finished and not self._intents:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                await self._commit(producer)
                await asyncio.sleep(_PAUSE_SECONDS)
                if self._is_paused and len(self._order) < _MAX_PENDING // 2:
                    self._is_paused = False
                    self._loop.consumer.resume(self._source)

    def feed(self, records: Sequence[ConsumerRecord]) -> None:
        """Add fetched records to their key queues."""
        for record in records:
            self._order.append(record.offset)
            queue = self._queues.get(record.key)
            if queue is None:
                queue = self._queues[record.key] = deque([record])
                task = asyncio.create_task(self._work(record.key, queue))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                queue.append(record)
        if len(self._order) > _MAX_PENDING and not self._is_paused:
            self._is_paused = True
            self._loop.consumer.pause(self._source)

    async def write_intent(self, record: ConsumerRecord) -> None:
        """Write the state of the record's key in a transaction; return when it is committed."""
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._intents.append((record, committed))
        self._wake.set()
        await committed

    async def _work(self, key: bytes, queue: deque[ConsumerRecord]) -> None:
        while queue:
            await self._loop.handler(queue[0])
            self._finished.append(queue.popleft())
            self._wake.set()
        del self._queues[key]

    async def _commit(self, producer: AIOKafkaProducer) -> None:
        batch, self._finished = self._finished[:_BATCH], self._finished[_BATCH:]
        intents, self._intents = self._intents, []
        done = self._beyond | {record.offset for record in batch}
        passed = 0
        for offset in self._order:
            if offset not in done:
                break
            passed += 1
        watermark = self._order[passed] if passed < len(self._order) else self._order[-1] + 1
        self._beyond = {offset for offset in done if offset >= watermark}
        await producer.begin_transaction()
        sends = [
            await producer.send(
                self._loop.events,
                record.value,
                key=record.key,
                partition=self._source.partition,
                headers=[("offset", b"%d" % record.offset)],
            )
            for record in batch
        ]
        states = {record.key: record.value for record in (*batch, *(intent for intent, _ in intents))}
        for key, value in states.items():
            sends.append(await producer.send(self._loop.state, value, key=key, partition=self._source.partition))
        for sent in sends:
            await sent
        if batch:
            await producer.send_offsets_to_transaction(
                {self._source: OffsetAndMetadata(watermark, _bitmap(watermark, self._beyond))}, self._loop.group
            )
        await producer.commit_transaction()
        for _, committed in intents:
            committed.set_result(None)
        for _ in range(passed):
            self._order.popleft()
        self._loop.committed(len(batch))


class BareLoop(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """The loop over all partitions."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        handler: Callable[[ConsumerRecord], Awaitable[None]],
        committed: Callable[[int], None],
    ) -> None:
        self.bootstrap = bootstrap
        self.group = f"{prefix}bare"
        self.events = f"{prefix}events"
        self.state = f"{prefix}state"
        self.handler = handler
        self.committed = committed
        self.consumer: AIOKafkaConsumer = None
        self._topic = f"{prefix}commands"
        self._partitions: dict[TopicPartition, BarePartition] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_ready(self) -> bool:
        """Whether the loop reads all partitions."""
        return bool(self._partitions) and all(partition.is_ready for partition in self._partitions.values())

    async def write_intent(self, record: ConsumerRecord) -> None:
        """Return when the record's intent is committed."""
        await self._partitions[TopicPartition(record.topic, record.partition)].write_intent(record)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Do nothing: the floor has one member."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Start all partitions."""
        sources = list(assigned)
        self.consumer.pause(*sources)
        for source in sources:
            partition = self._partitions[source] = BarePartition(self, source)
            self._tasks.append(asyncio.create_task(partition.run()))

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set."""
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=1_000,
        )
        self.consumer.subscribe([self._topic], listener=self)
        await self.consumer.start()
        try:
            while not stop.is_set():
                for source, records in (await self.consumer.getmany(timeout_ms=200)).items():
                    partition = self._partitions[source]
                    if partition.is_ready:
                        partition.feed(records)
                for task in self._tasks:
                    if task.done():
                        task.result()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.consumer.stop()


def _bitmap(watermark: int, finished: set[int]) -> str:
    if not finished:
        return ""
    bits = 0
    for offset in finished:
        bits |= 1 << (offset - watermark)
    return base64.b85encode(zlib.compress(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), 1)).decode()
