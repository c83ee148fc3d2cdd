"""What a handler may take and return, and whether an answer is one. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumers.engine.interface import Again, Done
from consumers.engine.transactions import LARGEST_RECORD

if TYPE_CHECKING:
    from consumers.engine.interface import Output


@dataclass(frozen=True, slots=True)
class TurnLimits:
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
        """
        size = 0
        if memory is not None:
            size = len(memory)
            if size > self.memory_bytes:
                raise TooLarge(f"a memory of {size} bytes; the limit is {self.memory_bytes}")
            if len(key) + size > LARGEST_RECORD:
                raise TooLarge(f"a state record of {len(key) + size} bytes; the limit is {LARGEST_RECORD}")
        for output in outputs:
            length = len(output.key) + (len(output.value) if output.value is not None else 0)
            for name, value in output.headers:
                length += len(name) + len(value)
            if length > LARGEST_RECORD:
                raise TooLarge(f"a record of {length} bytes for {output.topic}; the limit is {LARGEST_RECORD}")
            size += length
        if size > self.outputs_bytes:
            raise TooLarge(f"{size} bytes in one turn; the limit is {self.outputs_bytes}")
        return size

    def pause_after(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row."""
        return min(self.last_retry_seconds, self.first_retry_seconds * 2.0 ** min(failures - 1, 30))


class TooLarge(Exception):
    """A handler returned more than the limits allow."""


def judge(answer: object) -> Done | Again:
    """Return the answer of a handler if it is one.

    Raises:
        TypeError: it is neither, or names a time that never comes.
    """
    if isinstance(answer, Done) and (answer.alarm_at is None or math.isfinite(answer.alarm_at)):
        return answer
    if isinstance(answer, Again) and math.isfinite(answer.at):
        return answer
    raise TypeError(f"a handler answered {type(answer).__name__}; expected Done or Again with a finite time")
