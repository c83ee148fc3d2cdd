"""A handler that tallies the inputs of each key, so that its inputs, outputs, states and effects can be checked.

An input's value is a `Task`. Each input ends in one output; it may commit an intent before its effect, wait, fail, or
set a timer. The state follows from the inputs and outputs alone (`replay`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from consumers.engine import Done, Output, RetryAt
from local.judge import history
from schemas.events.wait_reasons import WaitReason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consumers.engine import Invocation, Record


@dataclass(frozen=True, slots=True)
class Task:
    """The instructions for one input.

    Attributes:
        id: the input's name.
        checkpoint: commit an intent and an output, then begin an effect.
        seconds: the duration.
        waits: how often to return `RetryAt` first.
        failures: how often to raise first.
        hangs: how often to hang first.
        timer_seconds: set the key's timer to this time from now.
        size: bytes of filling in the output.
    """

    id: str
    checkpoint: bool = False
    seconds: float = 0.0
    waits: int = 0
    failures: int = 0
    hangs: int = 0
    timer_seconds: float | None = None
    size: int = 0

    def encode(self) -> bytes:
        """Return the input's value."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, value: bytes) -> Task:
        """Read an input's value."""
        return cls(**json.loads(value))


def tasks(*numbers: int, **what: Any) -> list[tuple[str, Task]]:
    """Return a task for each number, with one of eight keys."""
    return [(f"key-{number % 8}", Task(f"{number}", **what)) for number in numbers]


@dataclass(frozen=True, slots=True)
class Tally:
    """The state of a key: the number of outputs, a digest of the inputs in order, and the open intent."""

    sequence: int = 0
    digest: str = ""
    intent: str | None = None

    def encode(self) -> bytes:
        """Return the state."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    @classmethod
    def decode(cls, state: bytes | None) -> Tally:
        """Read a state."""
        return cls(**json.loads(state)) if state is not None else cls()

    def after(self, cause: str) -> Tally:
        """Return the tally after this input."""
        digest = hashlib.sha256((self.digest + cause).encode()).hexdigest()[:16]
        return Tally(self.sequence + 1, digest)


def replay(key: str, inputs: Sequence[history.Input], outputs: Sequence[history.Output]) -> bytes | None:
    """Return the state that a key must have after its inputs and outputs (`history.check`)."""
    del key
    if not inputs:
        return None
    tally = Tally()
    for item in inputs:
        tally = tally.after(item.id)
    return replace(tally, sequence=len(outputs)).encode()


class Journal:
    """One file for all processes, with a line per effect, written when the effect begins."""

    def __init__(self, path: Path, by: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._by = by

    def begin(self, cause: str, key: str) -> None:
        """Write that an effect begins."""
        line = {"cause": cause, "key": key, "at": time.time(), "by": self._by}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_journal(path: Path) -> list[history.Effect]:
    """Return every effect that began, in order."""
    return [history.Effect(**json.loads(line)) for line in path.read_text().splitlines()]


class TallyHandler:
    """The handler. `events` is the topic of its outputs."""

    def __init__(self, events: str, journal: Journal) -> None:
        self._events = events
        self._journal = journal

    async def on_record(self, invocation: Invocation, record: Record) -> Done | RetryAt:
        """Follow the input's task."""
        task = Task.decode(record.value)
        if invocation.failures < task.failures:
            raise RuntimeError("the task says so")
        if invocation.failures < task.hangs:
            await asyncio.Event().wait()
        if invocation.tries - invocation.failures < task.waits:
            return RetryAt(invocation.now + 0.05, WaitReason.BACKOFF)
        tally = Tally.decode(invocation.state)
        if task.checkpoint and tally.intent != task.id:
            tally = replace(tally, sequence=tally.sequence + 1, intent=task.id)
            await invocation.checkpoint(tally.encode(), (self._output(invocation, tally, task.id, is_outcome=False),))
        if task.checkpoint:
            await self.before_effect(task)
            await invocation.ensure_owned()
            self._journal.begin(task.id, record.key.decode())
        await asyncio.sleep(task.seconds)
        tally = tally.after(task.id)
        return Done(
            (self._output(invocation, tally, task.id, is_outcome=True, size=task.size),),
            state=tally.encode(),
            timer_at=invocation.now + task.timer_seconds if task.timer_seconds is not None else invocation.timer_at,
        )

    async def before_effect(self, task: Task) -> None:
        """Do nothing; a test may wait here, between the commit of the intent and the effect."""

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Publish that the timer expired."""
        tally = Tally.decode(invocation.state)
        tally = replace(tally, sequence=tally.sequence + 1)
        return Done((self._output(invocation, tally, None, is_outcome=False),), state=tally.encode())

    def _output(
        self, invocation: Invocation, tally: Tally, cause: str | None, *, is_outcome: bool, size: int = 0
    ) -> Output:
        value = {"sequence": tally.sequence, "cause": cause, "outcome": is_outcome, "filling": "x" * size}
        return Output(self._events, invocation.key, json.dumps(value).encode())
