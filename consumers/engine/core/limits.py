"""The bounds of an invocation, and the validation of its result. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from consumers.engine.interface import Done, Output, RetryAt

# The broker rejects a record over max.message.bytes (1 MiB with the batch's header), and one rejected record makes the
# producer useless. So the engine validates a result before it queues any of it.
LARGEST_RECORD: Final = 900_000


class ResultTooLarge(Exception):
    """A handler returned more than the limits allow."""


@dataclass(frozen=True, slots=True)
class InvocationLimits:
    """The bounds of one invocation.

    Attributes:
        timeout_seconds: an invocation that runs longer is cancelled and retried.
        state_bytes: the largest state of a key.
        outputs_bytes: the most bytes that one invocation may publish.
        first_retry_seconds, last_retry_seconds: the pause after a failure, doubled each time up to the last.
    """

    timeout_seconds: float = 120.0
    state_bytes: int = 256 * 1024
    outputs_bytes: int = 4 * 1024 * 1024
    first_retry_seconds: float = 0.5
    last_retry_seconds: float = 60.0

    def measure(self, key: bytes, state: bytes | None, outputs: tuple[Output, ...]) -> int:
        """Return the bytes of a new state (None: it is unchanged or deleted) and of the outputs.

        Raises:
            ResultTooLarge: they exceed these limits, or what a broker accepts.
            TypeError, ValueError: the producer cannot write them; inside a transaction that would be too late.
        """
        size = 0
        if state is not None:
            if not isinstance(state, bytes):
                raise TypeError(f"a state of type {type(state).__name__}; expected bytes")
            size = len(state)
            if size > self.state_bytes:
                raise ResultTooLarge(f"a state of {size} bytes; the limit is {self.state_bytes}")
            if len(key) + size > LARGEST_RECORD:
                raise ResultTooLarge(f"a state record of {len(key) + size} bytes; the limit is {LARGEST_RECORD}")
        if not isinstance(outputs, tuple):
            raise TypeError(f"outputs in a {type(outputs).__name__}; expected a tuple, which cannot change")
        for output in outputs:
            length = _length(output)
            if length > LARGEST_RECORD:
                raise ResultTooLarge(f"a record of {length} bytes for {output.topic}; the limit is {LARGEST_RECORD}")
            size += length
        if size > self.outputs_bytes:
            raise ResultTooLarge(f"{size} bytes from one invocation; the limit is {self.outputs_bytes}")
        return size

    def pause_after(self, failures: int) -> float:
        """Return the seconds to wait after this number of failures in a row."""
        return min(self.last_retry_seconds, self.first_retry_seconds * 2.0 ** min(failures - 1, 30))


def validate(result: object) -> Done | RetryAt:
    """Return the result of a handler if it is valid.

    Raises TypeError for another type, a time that is not finite, or a reason that is no string enum.
    """
    if isinstance(result, Done) and (result.timer_at is None or math.isfinite(result.timer_at)):
        return result
    if isinstance(result, RetryAt) and math.isfinite(result.at) and isinstance(result.reason, StrEnum):
        return result
    raise TypeError(
        f"a handler returned {type(result).__name__}; expected Done or RetryAt with a finite time and a reason"
    )


def _length(output: Output) -> int:
    if not isinstance(output, Output):
        raise TypeError(f"an output of type {type(output).__name__}; expected Output")
    fields: tuple[Any, ...] = output  # the types are checked here, so none is assumed
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
