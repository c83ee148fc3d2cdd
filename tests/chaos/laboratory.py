"""A laboratory for engines: its own topics, inputs, workers in this process or in others, and the check of a run."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self
from unittest import mock

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest

from adapters.kafka.clients import bounded_stop
from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.engine import Engine
from local.judge.history import Violation, check
from local.judge.whole_topic import read_topic
from local.processes.patience import Patience, slowness
from tests.chaos import engine_worker
from tests.chaos.records import read_history, to_input, to_output
from tests.chaos.tally import Journal, TallyHandler, Task, replay
from tests.measured import value_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from pathlib import Path

    from consumers.engine import Handler
    from consumers.engine.dispatcher import Dispatcher
    from tests.chaos.engine_worker import Orders

POLL_SECONDS = 0.02
REQUEST_MILLISECONDS = 3_000  # a frozen broker must not delay the observers
LAST_SENDS_SECONDS = 10.0


async def until(check, within: float = 15.0) -> None:
    """Return when the check holds."""
    patience = Patience(within)
    while not check():
        assert not patience.is_over, f"not within {within} s"
        await asyncio.sleep(patience.pause)


class Running:
    """An engine in this process."""

    def __init__(self, orders: Orders, handler: Handler) -> None:
        self._metrics = engine_worker.metrics()
        self.engine = engine = Engine(orders.settings(), handler, self._metrics)
        self.orders = orders
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(engine.run(self.stop))

    def statuses(self) -> dict[int, PartitionStatus]:
        """Return the status of each partition."""
        return {number: partition.status for number, partition in self.engine.partitions.items()}

    def dispatchers(self) -> dict[int, Dispatcher]:
        """Return the dispatcher of each partition."""
        return {number: partition.session.dispatcher for number, partition in self.engine.partitions.items()}

    def owns(self, count: int) -> bool:
        """Say whether this engine owns exactly so many partitions, and all run."""
        assert not self.task.done(), self.task
        statuses = self.statuses()
        return len(statuses) == count and set(statuses.values()) <= {PartitionStatus.RUNNING}

    def resume(self) -> list[int]:
        """Resume every stopped partition, as an operator does; return their numbers."""
        return [number for number, partition in self.engine.partitions.items() if partition.resume()]

    def failed_starts(self, kind: str) -> float:
        """Count how often a partition started again because of this error."""
        return value_of(self._metrics.starts_failed.labels(kind))

    def fenced(self) -> float:
        """Count how often a partition was fenced."""
        labels = [str(number) for number in range(self.orders.partitions)]
        return sum(value_of(self._metrics.fenced.labels(label)) for label in labels)

    def torn(self, result: str) -> float:
        """Count the torn transactions that were healed, or lost."""
        return value_of(self._metrics.torn_transactions.labels(result))

    async def end(self, within: float = 20.0) -> None:
        """Stop in order."""
        self.stop.set()
        async with asyncio.timeout(within):
            await self.task


class Process:
    """An engine in a process of its own."""

    def __init__(self, orders: Orders, directory: Path) -> None:
        self.orders = orders
        self._statuses = directory / f"{orders.name}.statuses"
        self.log = directory / f"{orders.name}.log"
        with self._statuses.open("ab") as statuses, self.log.open("ab") as log:
            command = engine_worker.command(orders)
            self._process = subprocess.Popen(command, stdout=statuses, stderr=log)

    def statuses(self) -> dict[int, PartitionStatus]:
        """Return the last reported status of each partition."""
        lines = self._statuses.read_text().splitlines()
        return (
            {int(number): PartitionStatus(status) for number, status in json.loads(lines[-1]).items()} if lines else {}
        )

    def owns(self, count: int) -> bool:
        """Say whether so many partitions are running."""
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        statuses = self.statuses()
        return len(statuses) == count and set(statuses.values()) <= {PartitionStatus.RUNNING}

    def send(self, sig: signal.Signals) -> None:
        """Send a signal; after SIGKILL and SIGTERM, wait for the end of the process."""
        self._process.send_signal(sig)
        if sig in {signal.SIGKILL, signal.SIGTERM}:
            self._process.wait(30)

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process, None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """End the process, also a frozen one."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(30)


@dataclass(frozen=True, slots=True)
class Seen:
    """An outcome, and when a read_committed reader received it (monotonic seconds)."""

    cause: str
    partition: int
    at: float


class Laboratory:
    """Topics, inputs, engines and their outputs."""

    def __init__(self, orders: Orders, directory: Path) -> None:
        self.orders = orders
        self.directory = directory
        self.patience_seconds = 15.0
        self.appended: dict[str, float] = {}  # id: when (monotonic seconds)
        self.seen: list[Seen] = []
        self.finished: set[str] = set()  # ids of the inputs whose outcome a read_committed reader has seen
        self.timers: Counter[str] = Counter()  # timers by key
        self._stack = contextlib.AsyncExitStack()
        self._processes: list[Process] = []

    async def __aenter__(self) -> Self:
        """Create the topics, and start reading the outputs."""
        orders = self.orders
        self.admin = AIOKafkaAdminClient(
            bootstrap_servers=orders.bootstrap, request_timeout_ms=round(2 * REQUEST_MILLISECONDS * slowness())
        )
        await self.admin.start()
        self._stack.push_async_callback(self.admin.close)
        await self.create(orders.commands, orders.events, orders.state)
        self.producer = await self._start_producer()
        self._stack.push_async_callback(self.producer.stop)
        tail = asyncio.create_task(self._read_outcomes())
        self._stack.callback(tail.cancel)
        self._stack.callback(lambda: [process.close() for process in self._processes])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything."""
        await self._stack.aclose()

    async def create(self, *names: str, partitions: int | None = None) -> None:
        """Create topics, each on all brokers."""
        partitions, brokers = partitions or self.orders.partitions, len(self.orders.bootstrap.split(","))
        answer = await self.admin.create_topics([NewTopic(name, partitions, brokers) for name in names])
        for _, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)

    async def delete(self, name: str) -> None:
        """Delete a topic; return when it is gone. Until then it accepts records and loses them."""
        await self.admin.delete_topics([name])
        async with asyncio.timeout(self.patience_seconds):
            while name in await self.admin.list_topics():  # noqa: ASYNC110 - the broker sends no event
                await asyncio.sleep(POLL_SECONDS)

    async def forget_offsets(self) -> None:
        """Delete the group's offsets, as Kafka does after their retention."""
        group = self.orders.settings().group
        coordinator = await self.admin.find_coordinator(group)
        answer = await self.admin._send_request_to_node(coordinator, DeleteGroupsRequest([group]))
        assert [code for _, code in answer.results] == [0]

    def name(self, name: str, **changes: object) -> Orders:
        """Return the orders of a worker with this name."""
        return replace(self.orders, name=name, **changes)  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def engine(
        self, name: str = "one", handler: Handler | None = None, *, fails: bool = False, **changes: object
    ) -> AsyncIterator[Running]:
        """Run an engine in this process. `fails`: the test expects a failure and checks it itself."""
        orders = self.name(name, **changes)
        journal = Journal(self.directory / "journal", name)
        running = Running(orders, handler or TallyHandler(orders.events, journal))
        try:
            yield running
        finally:
            if not running.task.done():
                await running.end()
            elif not fails:
                running.task.result()
            journal.close()

    @contextlib.asynccontextmanager
    async def owner(self, *given: Any, within: float = 15.0, **changes: object) -> AsyncIterator[Running]:
        """Run an engine in this process that owns all partitions when the block begins."""
        async with self.engine(*given, **changes) as running:
            await until(lambda: running.owns(self.orders.partitions), within)
            yield running

    def process(self, name: str = "one", **changes: object) -> Process:
        """Run an engine in a process of its own."""
        process = Process(self.name(name, **changes), self.directory)
        self._processes.append(process)
        return process

    async def append(self, key: str, *tasks: Task, partition: int | None = None) -> None:
        """Append inputs of one key; the partition comes from the key unless it is given."""
        for task in tasks:
            await self.producer.send_and_wait(
                self.orders.commands, task.encode(), key=key.encode(), partition=partition
            )
            self.appended[task.id] = time.monotonic()

    async def append_many(self, pairs: Iterable[tuple[str, Task]]) -> None:
        """Append inputs quickly, in order."""
        sends = []
        for key, task in pairs:
            sends.append(await self.producer.send(self.orders.commands, task.encode(), key=key.encode()))
            self.appended[task.id] = time.monotonic()
        await asyncio.gather(*sends)

    @contextlib.asynccontextmanager
    async def load(self, per_second: float, *, keys: int = 32) -> AsyncIterator[None]:
        """Append inputs constantly, also while Kafka fails. A failed append may have written its input or not."""
        stop = asyncio.Event()
        appending = asyncio.create_task(self._append_until(stop, 1 / per_second, keys))
        try:
            yield
            if appending.done():
                appending.result()
                raise AssertionError("the load ended too early")
        finally:
            stop.set()
            await appending

    async def _append_until(self, stop: asyncio.Event, pause: float, keys: int) -> None:
        producer = await self._start_producer()
        in_flight: set[asyncio.Future[object]] = set()
        is_broken = False

        def appended(task: Task, send: asyncio.Future[object]) -> None:
            nonlocal is_broken
            in_flight.discard(send)
            if send.cancelled() or send.exception() is not None:
                is_broken = True
                self.appended.pop(task.id, None)

        for number in itertools.count(len(self.appended)):
            if stop.is_set():
                break
            task = Task(f"{number}", checkpoint=number % 2 == 0, seconds=0.005, waits=int(number % 50 == 0))
            key = f"key-{number % keys}".encode()
            try:
                if is_broken:  # an idempotent producer is useless after a failed send
                    await _discard(producer, in_flight)
                    producer, is_broken = await self._start_producer(), False
                send = await producer.send(self.orders.commands, task.encode(), key=key)
            except KafkaError:
                is_broken = True
            else:
                self.appended[task.id] = time.monotonic()
                in_flight.add(send)
                send.add_done_callback(functools.partial(appended, task))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await stop.wait()
        if in_flight:
            await asyncio.wait(in_flight, timeout=LAST_SENDS_SECONDS)
        await _discard(producer, in_flight)

    async def _start_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.orders.bootstrap, enable_idempotence=True, request_timeout_ms=REQUEST_MILLISECONDS
        )
        try:
            await producer.start()
        except KafkaError:
            await bounded_stop(producer)
            raise
        return producer

    async def all_in_the_log_finished(self, within: float) -> None:
        """Return when every input in the log has its outcome, also those with an unknown append."""
        orders = self.orders
        records = await read_topic(orders.bootstrap, orders.commands, orders.partitions, within=within)
        inputs = {to_input(record).id for record in records}
        await until(lambda: inputs <= self.finished, within)

    async def all_finished(self, within: float = 15.0) -> None:
        """Return when every appended input has its outcome."""
        try:
            await until(lambda: len(self.seen) >= len(self.appended) and self.finished >= self.appended.keys(), within)
        except AssertionError:
            missing = sorted(self.appended.keys() - self.finished)
            raise AssertionError(f"after {within} s {len(missing)} have no outcome: {missing[:10]}") from None

    async def violations(self, within: float = 30.0) -> list[Violation]:
        """Check the whole run; call it after the run has ended."""
        return check(await self.history(within), replay)

    async def history(self, within: float = 30.0):
        """Read the whole run."""
        orders = self.orders
        return await read_history(
            orders.bootstrap,
            inputs=orders.commands,
            events=orders.events,
            state=orders.state,
            partitions=orders.partitions,
            journal=self.directory / "journal",
            within=within,
        )

    async def _read_outcomes(self) -> None:
        orders = self.orders
        consumer = AIOKafkaConsumer(
            bootstrap_servers=orders.bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_MILLISECONDS,
            metadata_max_age_ms=REQUEST_MILLISECONDS,  # a broker that is cut off must not keep the observer
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(orders.events, number) for number in range(orders.partitions)])
            while True:
                for source, records in (await consumer.getmany(timeout_ms=100)).items():
                    now = time.monotonic()
                    for record in records:
                        output = to_output(record)
                        if output.cause is None:
                            self.timers[output.key] += 1
                        elif output.is_outcome:
                            self.seen.append(Seen(output.cause, source.partition, now))
                            self.finished.add(output.cause)
        finally:
            await consumer.stop()


async def _discard(producer: AIOKafkaProducer, in_flight: set[asyncio.Future[object]]) -> None:
    """Close a producer and cancel its unsent records, whose outcome would stay unknown."""
    await bounded_stop(producer)
    if left := list(in_flight):
        for send in left:
            send.cancel()
        await asyncio.wait(left)


class Cut:
    """A network that can be cut: requests of the clients with some names wait until `mend`, or fail immediately."""

    def __init__(self) -> None:
        self._cut: dict[str, bool] = {}
        self._mended = asyncio.Event()
        self.waiting: list[str] = []  # kinds of requests that wait

    def cut(self, name: str, *, refuse: bool = False) -> None:
        """Cut a client off. `refuse`: its requests fail immediately."""
        self._cut[name] = refuse
        self._mended.clear()

    def mend(self) -> None:
        """Let all requests pass, also the waiting ones."""
        self._cut.clear()
        self._mended.set()

    async def passes(self, name: str, kind: str) -> None:
        """Wait or fail while it is cut."""
        while name in self._cut:
            if self._cut[name]:
                await asyncio.sleep(POLL_SECONDS)
                raise KafkaConnectionError("the network is cut")
            self.waiting.append(kind)
            await self._mended.wait()
            self.waiting.remove(kind)


@contextlib.contextmanager
def cuttable_network() -> Iterator[Cut]:
    """Make every aiokafka client of this process use a network that can be cut."""
    network = Cut()
    send = AIOKafkaClient.send

    async def through(client: AIOKafkaClient, node: int, request: object, **options: object) -> object:
        await network.passes(client._client_id, type(request).__name__)
        return await send(client, node, request, **options)

    with mock.patch.object(AIOKafkaClient, "send", through):
        try:
            yield network
        finally:
            network.mend()
