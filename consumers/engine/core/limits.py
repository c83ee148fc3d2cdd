"""What a handler may take and return, and whether an answer is one. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from consumers.engine.interface import Done, Output, RetryAt
from consumers.engine.kafka.transactions import LARGEST_RECORD


@dataclass(frozen=True, slots=True)
class InvocationLimits:
    """What a handler may take.

    Attributes:
        hang_seconds: a turn that runs longer is cancelled and tried again.
        memory_bytes: the largest memory of a key.
        outputs_bytes: the most that one turn may publish.
        first_retry_seconds, last_retry_seconds: the pause after a failed turn, doubled each time up to the last.
    """

    hang_seconds: float = 120.0
    memory_bytes: int = 256 * 1024
    outputs_bytes: int = 4 * 1024 * 1024
    first_retry_seconds: float = 0.5
    last_retry_seconds: float = 60.0

    def measure(self, key: bytes, memory: bytes | None, outputs: tuple[Output, ...]) -> int:
        """Return the bytes of a new memory (None: there is none) and of outputs.

        Raises:
            TooLarge: they are more than the limits allow, or than a broker takes.
            TypeError, ValueError: they are not what the client can write; inside a transaction it would be too late.
        """
        size = 0
        if memory is not None:
            if not isinstance(memory, bytes):
                raise TypeError(f"a memory of type {type(memory).__name__}; expected bytes")
            size = len(memory)
            if size > self.memory_bytes:
                raise TooLarge(f"a memory of {size} bytes; the limit is {self.memory_bytes}")
            if len(key) + size > LARGEST_RECORD:
                raise TooLarge(f"a state record of {len(key) + size} bytes; the limit is {LARGEST_RECORD}")
        if not isinstance(outputs, tuple):
            raise TypeError(
                f"outputs in a {type(outputs).__name__}; expected a tuple, which nobody changes or exhausts"
            )
        for output in outputs:
            length = _length(output)
            if length > LARGEST_RECORD:
                raise TooLarge(f"a record of {length} bytes for {output.topic}; the limit is {LARGEST_RECORD}")
            size += length
        if size > self.outputs_bytes:
            raise TooLarge(f"{size} bytes in one turn; the limit is {self.outputs_bytes}")
        return size

    def pause_after(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row."""
        return min(self.last_retry_seconds, self.first_retry_seconds * 2.0 ** min(failures - 1, 30))


def _length(output: Output) -> int:
    if not isinstance(output, Output):
        raise TypeError(f"an output of type {type(output).__name__}; expected Output")
    fields: tuple[Any, ...] = output  # what they are said to be is what is asked here
    topic, key, value, headers = fields
    if not (isinstance(topic, str) and isinstance(key, bytes) and (value is None or isinstance(value, bytes))):
        raise TypeError("an output whose topic is no string, or whose key or value is not bytes")
    if not isinstance(headers, tuple):
        raise TypeError(f"headers in a {type(headers).__name__}; expected a tuple")
    length = len(key) + (len(value) if value is not None else 0)
    for name, content in headers:
        if not (isinstance(name, str) and isinstance(content, bytes)):
            raise TypeError(f"a header of an output for {topic} that is not a name and bytes")
        length += len(name.encode()) + len(content)
    return length


class TooLarge(Exception):
    """A handler returned more than the limits allow."""


def validate(answer: object) -> Done | RetryAt:
    """Return the answer of a handler if it is one.

    Raises:
        TypeError: it is neither, names a time that never comes, or waits for no reason that we know.
    """
    if isinstance(answer, Done) and (answer.timer_at is None or math.isfinite(answer.timer_at)):
        return answer
    if isinstance(answer, RetryAt) and math.isfinite(answer.at) and isinstance(answer.reason, StrEnum):
        return answer
    raise TypeError(
        f"a handler answered {type(answer).__name__}; expected Done or Again with a finite time and a reason"
    )
