"""The engine's restore time, memory growth and idle costs, each beside its floor."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from rich.console import Console
from rich.table import Table

from bench.engine.subject import Task
from bench.engine.subjects import Subject
from bench.engine.topics import fill, make_topics
from consumers.engine.state_store import state_record

if TYPE_CHECKING:
    from collections.abc import Callable

console = Console()
STATE_BYTES = 500
HOUR = 3_600.0


async def _write_states(bootstrap: str, prefix: str, keys: int, timer_at: Callable[[], float]) -> None:
    """Write a state and a timer for each key to partition 0 of `state`, as an earlier engine would have."""
    source = TopicPartition(f"{prefix}commands", 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=f"{prefix}engine", enable_auto_commit=False)
    await consumer.start()
    consumer.assign([source])
    # States without an offset would look like lost offsets.
    await consumer.commit({source: 0})
    await consumer.stop()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=1 << 18)
    await producer.start()
    sends = []
    for number in range(keys):
        value = b"%d " % number + b"m" * STATE_BYTES
        record = state_record(f"{prefix}state", b"authorization-%012d" % number, value, timer_at())
        sends.append(
            await producer.send(record.topic, record.value, key=record.key, partition=0, headers=list(record.headers))
        )
    await asyncio.gather(*sends)
    await producer.stop()


async def restore(bootstrap: str, repetitions: int, scale: float) -> None:
    """Start on a partition with 100,000 states, with no timer due or with all; compare with a read of the topic."""
    keys = int(100_000 * scale)
    table = Table(title=f"{keys:,} states of {STATE_BYTES} bytes in one partition (medians; of an empty start less)")
    for column in ("subject", "seconds", "of the bare reading", "extra bytes per state"):
        table.add_column(column, justify="right")
    randomness = random.Random(1)
    now = time.time()
    topics = {
        "empty": await make_topics(bootstrap, 1),
        "engine": await make_topics(bootstrap, 1),
        "engine, all timers due": await make_topics(bootstrap, 1),
    }
    await _write_states(bootstrap, topics["empty"], 0, lambda: 0.0)
    await _write_states(bootstrap, topics["engine"], keys, lambda: now + HOUR * (1 + randomness.random()))
    await _write_states(bootstrap, topics["engine, all timers due"], keys, lambda: now - HOUR * randomness.random())
    subjects = {"bare reading": ("reading", topics["engine"])}
    subjects |= {name: ("engine", prefix) for name, prefix in topics.items()}
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    grown: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(repetitions):
        for name, (kind, prefix) in subjects.items():
            task = Task(kind=kind, bootstrap=bootstrap, prefix=prefix, partitions=1, handler_seconds=0.0, spares=True)
            async with Subject(task) as subject:
                ready = await subject.report("ready")
            seconds[name].append(ready["seconds"])
            grown[name].append(ready["grownBytes"])
    base_seconds, base_bytes = (statistics.median(of["empty"]) for of in (seconds, grown))
    floor = statistics.median(seconds["bare reading"])
    for name in subjects:
        is_floor = name == "bare reading"
        took = statistics.median(seconds[name]) - (0.0 if is_floor or name == "empty" else base_seconds)
        held = (statistics.median(grown[name]) - base_bytes) / keys - STATE_BYTES
        shown = ("", "") if name == "empty" else (f"{took / floor:.1f}x", f"{held:,.0f}")
        table.add_row(name, f"{took:.2f}", *shown)
    console.print(table)


async def growth(bootstrap: str, repetitions: int, scale: float) -> None:
    """Process 100,000 records over 1,000 keys after a warm-up of 20,000, and measure the memory growth."""
    warm_up, records = int(20_000 * scale), int(100_000 * scale)
    table = Table(title=f"Resident growth over {records:,} records after {warm_up:,} (the worst of all repetitions)")
    for column in ("subject", "MiB"):
        table.add_column(column, justify="right")
    grown: dict[str, list[float]] = {"bare": [], "engine": []}
    for _ in range(repetitions):
        for kind, runs in grown.items():
            prefix = await make_topics(bootstrap, 4)
            await fill(bootstrap, prefix, partitions=4, keys=1_000, records=warm_up + records)
            task = Task(
                kind=kind,
                bootstrap=bootstrap,
                prefix=prefix,
                partitions=4,
                expect=warm_up + records,
                warm_up=warm_up,
                timers=True,
                spares=True,
            )
            async with Subject(task) as subject:
                runs.append((await subject.report("ended"))["grownMiB"])
    for kind, runs in grown.items():
        table.add_row(kind, f"{max(runs):.1f}")
    console.print(table)


async def idle(bootstrap: str, repetitions: int, scale: float) -> None:
    """Measure the CPU of twelve idle partitions."""
    seconds = 20.0 * scale
    table = Table(title=f"CPU of 12 idle partitions over {seconds:.0f} s (medians)")
    for column in ("subject", "of a core"):
        table.add_column(column, justify="right")
    spent: dict[str, list[float]] = {"bare": [], "engine": []}
    for _ in range(repetitions):
        for kind, runs in spent.items():
            prefix = await make_topics(bootstrap, 12)
            async with Subject(
                Task(kind=kind, bootstrap=bootstrap, prefix=prefix, partitions=12, spares=True)
            ) as subject:
                await subject.report("ready")
                await asyncio.sleep(2.0)
                before = subject.cpu_seconds()
                await asyncio.sleep(seconds)
                runs.append((subject.cpu_seconds() - before) / seconds)
    for kind, runs in spent.items():
        table.add_row(kind, f"{statistics.median(runs):.2%}")
    console.print(table)
