"""Reads that all viewers share, in memory only: one read for each key, or one value that no viewer waits for."""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Final, Generic, TypeVar

SHARED_SECONDS: Final = 5.0
MOST_READS: Final = 1_000
OLDEST_SECONDS: Final = 10.0
Value = TypeVar("Value")


class SharedReads(Generic[Value]):
    """Reads by key. A timer removes each value, because a value may be PHI. A full memory forgets its oldest read."""

    def __init__(
        self,
        keeps: Callable[[Value], bool],
        *,
        seconds: float = SHARED_SECONDS,
        capacity: int = MOST_READS,
    ) -> None:
        """`keeps`: whether later viewers get a value too, and not only those who waited for it."""
        self._keeps = keeps
        self._seconds = seconds
        self._capacity = capacity
        self._reads: dict[Hashable, asyncio.Task[Value]] = {}

    def __len__(self) -> int:
        """Return the number of reads that are in progress or kept."""
        return len(self._reads)

    async def get(
        self,
        key: Hashable,
        read: Callable[[], Coroutine[Any, Any, Value]],
        accepts: Callable[[Value], bool] = lambda _: True,
    ) -> Value:
        """Return the value of this key: kept or in progress if `accepts` says so, else read now."""
        # A viewer who leaves does not end the read of the others.
        while (task := self._reads.get(key)) is not None:
            value = await asyncio.shield(task)
            if accepts(value):
                return value
            self._forget(key, task)
        if len(self._reads) >= self._capacity:
            del self._reads[next(iter(self._reads))]
        task = self._reads[key] = asyncio.create_task(read())
        task.add_done_callback(partial(self._ended, key))
        return await asyncio.shield(task)

    def _ended(self, key: Hashable, task: asyncio.Task[Value]) -> None:
        if not task.cancelled() and task.exception() is None and self._keeps(task.result()):
            asyncio.get_running_loop().call_later(self._seconds, self._forget, key, task)
        else:
            self._forget(key, task)

    def _forget(self, key: Hashable, task: asyncio.Task[Value]) -> None:
        if self._reads.get(key) is task:
            del self._reads[key]


class RecentValue(Generic[Value]):
    """A value that is read while viewers look: again after SHARED_SECONDS, and no look waits until OLDEST_SECONDS."""

    def __init__(self, read: Callable[[], Coroutine[Any, Any, Value]]) -> None:
        self._read = read
        self._value: Value
        self._read_at = -math.inf
        self._reading: asyncio.Task[None] | None = None

    async def get(self) -> Value:
        """Return the value."""
        age = time.monotonic() - self._read_at
        if age > SHARED_SECONDS and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._renew())
        if age > OLDEST_SECONDS and self._reading is not None:
            await asyncio.shield(self._reading)
        return self._value

    async def _renew(self) -> None:
        self._value = await self._read()
        self._read_at = time.monotonic()
