"""How fast one worker drains commands that are already in the topic, and the memory that it has then."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise

import psutil
from aiokafka import AIOKafkaProducer

from bench.chain.load import per_command, reading_outcomes
from bench.installed import command_record, fresh_installation, make_authorizations
from bench.processes import ProcessorTime
from local.processes.run import Run
from schemas.commands import HandoffRequest
from schemas.topics import catalogue


@dataclass(frozen=True, slots=True)
class Drain:
    """What a drain showed: commands/s of each quarter, processor ms per command by role, and the worker's memory.

    The memory is in bytes: after the last command, and of a worker that has restored the same states.
    """

    rates: tuple[float, ...]
    processor: dict[str, float]
    memory: int
    memory_of_new_worker: int


async def drained(bootstrap: str, commands: int, partitions: int) -> Drain:
    """Append all commands, then start one worker."""
    with Run("bench") as run:
        installed, collate = fresh_installation(run, bootstrap, partitions)
        topics = catalogue(installed.prefix)
        await _append(bootstrap, topics.commands.name, make_authorizations(collate, commands), partitions)
        async with reading_outcomes(bootstrap, topics.events.name) as outcomes:
            worker = installed.start("worker")
            while not outcomes.seen:  # noqa: ASYNC110 - a measurement polls
                await asyncio.sleep(0.01)
            began, base = time.perf_counter(), len(outcomes.seen)
            processor, marks = ProcessorTime(), [(began, base)]
            while len(outcomes.seen) < commands:
                worker.require_running()
                await asyncio.sleep(0.02)
                while len(marks) < 5 and len(outcomes.seen) - base >= (commands - base) * len(marks) / 4:
                    marks.append((time.perf_counter(), len(outcomes.seen)))
                if time.perf_counter() - marks[-1][0] > 120:
                    raise RuntimeError(f"{commands - len(outcomes.seen)} commands have no outcome after two minutes")
            spent = per_command(processor.since(), commands - base)
            rates = tuple((count - before) / (at - since) for (since, before), (at, count) in pairwise(marks))
            memory = _memory(worker.process.pid)
            await asyncio.to_thread(worker.stop)
            restarted = installed.start("worker", "restarted")
            await asyncio.to_thread(restarted.await_ready)
            return Drain(rates, spent, memory, _memory(restarted.process.pid))


def _memory(pid: int) -> int:
    memory: int = psutil.Process(pid).memory_info().rss
    return memory


async def _append(bootstrap: str, topic: str, authorizations: list[str], partitions: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5)
    await producer.start()
    try:
        sends = [
            await producer.send(topic, **command_record(one, HandoffRequest(), partitions)) for one in authorizations
        ]
        await asyncio.gather(*sends)
    finally:
        await producer.stop()
