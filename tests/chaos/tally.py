"""A handler whose every input, output, state and effect can be checked afterwards: it tallies the inputs of each key.

An input's value says what to do with it (`Task`). Each input ends in one output; it may note an intent before its
effect, wait, fail, or set a timer. What must be remembered follows from the inputs and outputs alone (`replay`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from consumers.authorization.wait_reasons import WaitReason
from consumers.engine import Done, Output, RetryAt
from tests.chaos import history

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consumers.engine import Invocation, Record


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with an input.

    Attributes:
        id: the input's name.
        checkpoint: commit an intent, and an output that tells of it, then begin an effect.
        seconds: how long it takes.
        waits: how often to answer `RetryAt` first.
        failures: how often to raise first.
        hangs: how often to hang first.
        timer_seconds: set the key's timer to so much later.
        size: bytes of filling in the output.
        first_size: bytes of filling in the output while the handler has not failed on it yet.
        first_state: bytes that the state is filled up to while the handler has not failed on it yet.
        casualty: give the input up.
    """

    id: str
    checkpoint: bool = False
    seconds: float = 0.0
    waits: int = 0
    failures: int = 0
    hangs: int = 0
    timer_seconds: float | None = None
    size: int = 0
    first_size: int | None = None
    first_state: int = 0
    dead_lettered: bool = False

    def encode(self) -> bytes:
        """Return the input's value."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, value: bytes) -> Task:
        """Read an input's value."""
        return cls(**json.loads(value))


@dataclass(frozen=True, slots=True)
class Tally:
    """What is remembered of a key: how many outputs there were, which inputs in which order, which intent stands."""

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
        """Return the tally when this input is finished too."""
        digest = hashlib.sha256((self.digest + cause).encode()).hexdigest()[:16]
        return Tally(self.sequence + 1, digest)


def replay(key: str, inputs: Sequence[history.Input], outputs: Sequence[history.Output]) -> bytes | None:
    """Lead from inputs and outputs to the state that must be left (`history.check`)."""
    del key
    if not inputs:
        return None
    tally = Tally()
    for item in inputs:
        tally = tally.after(item.id)
    return replace(tally, sequence=len(outputs)).encode()


class Journal:
    """One file for all processes: each effect is a line, written when it begins. The order of lines is their order."""

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
        """Do what the input says."""
        task = Task.decode(record.value)
        if invocation.failures < task.failures:
            raise RuntimeError("asked to fail")
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
        size = task.first_size if task.first_size is not None and not invocation.failures else task.size
        tally = tally.after(task.id)
        return Done(
            (self._output(invocation, tally, task.id, is_outcome=True, size=size),),
            state=tally.encode().ljust(0 if invocation.failures else task.first_state),
            timer_at=invocation.now + task.timer_seconds if task.timer_seconds is not None else invocation.timer_at,
            dead_lettered=task.dead_lettered,
        )

    async def before_effect(self, task: Task) -> None:
        """Do nothing; a test may wait here, when the intent is committed and the effect has not begun."""

    async def on_timer(self, invocation: Invocation) -> Done | RetryAt:
        """Tell that the timer came."""
        tally = Tally.decode(invocation.state)
        tally = replace(tally, sequence=tally.sequence + 1)
        return Done((self._output(invocation, tally, None, is_outcome=False),), state=tally.encode())

    def _output(
        self, invocation: Invocation, tally: Tally, cause: str | None, *, is_outcome: bool, size: int = 0
    ) -> Output:
        value = {"sequence": tally.sequence, "cause": cause, "outcome": is_outcome, "filling": "x" * size}
        return Output(self._events, invocation.key, json.dumps(value).encode())
