"""The engine's restore time beside its floor."""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.engine.subject import Subject, Task
from bench.engine.topics import make_topics
from bench.harness import append, in_turn, median, show
from consumers.engine.state_store import state_record

STATE_BYTES = 500
HOUR = 3_600.0


async def _write_states(bootstrap: str, keys: int, timer_at: Callable[[], float]) -> str:
    """Write a state and a timer for each key to a new `state`, as an earlier engine would have; return the prefix."""
    prefix = await make_topics(bootstrap, 1)
    source, topic = TopicPartition(f"{prefix}commands", 0), f"{prefix}state"
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=f"{prefix}engine", enable_auto_commit=False
    ) as consumer:
        consumer.assign([source])
        # States without an offset would look like lost offsets.
        await consumer.commit({source: 0})

    def records() -> Iterator[dict[str, Any]]:
        for number in range(keys):
            value = b"%d " % number + b"m" * STATE_BYTES
            record = state_record(topic, b"authorization-%012d" % number, value, timer_at())
            yield {"value": record.value, "key": record.key, "partition": 0, "headers": list(record.headers)}

    await append(bootstrap, topic, records())
    return prefix


async def restore(bootstrap: str, repetitions: int, scale: float) -> None:
    """Start on a partition with 100,000 states, with no timer due or with all; compare with a read of the topic."""
    keys, now, chance = int(100_000 * scale), time.time(), random.Random(1).random
    later = await _write_states(bootstrap, keys, lambda: now + HOUR * (1 + chance()))

    async def ready(kind: str, prefix: str) -> dict[str, float]:
        async with Subject(Task(kind, bootstrap, prefix, 1, handler_seconds=0.0, spares=True)) as subject:
            return await subject.report("ready")

    runs = await in_turn(
        {
            "bare reading": partial(ready, "reading", later),
            "empty": partial(ready, "engine", await _write_states(bootstrap, 0, lambda: 0.0)),
            "engine": partial(ready, "engine", later),
            "engine, all timers due": partial(
                ready, "engine", await _write_states(bootstrap, keys, lambda: now - HOUR * chance())
            ),
        },
        repetitions,
    )
    seconds, grown = (
        {name: median(found, lambda one, of=of: one[of]) for name, found in runs.items()}  # type: ignore[misc]
        for of in ("seconds", "grownBytes")
    )
    took = {name: seconds[name] - (seconds["empty"] if name.startswith("engine") else 0.0) for name in runs}
    show(
        f"{keys:,} states of {STATE_BYTES} bytes in one partition (medians; of an empty start less)",
        ("subject", "seconds", "of the bare reading", "extra bytes per state"),
        (
            (name, f"{took[name]:.2f}")
            if name == "empty"
            else (
                name,
                f"{took[name]:.2f}",
                f"{took[name] / took['bare reading']:.1f}x",
                f"{(grown[name] - grown['empty']) / keys - STATE_BYTES:,.0f}",
            )
            for name in runs
        ),
    )
