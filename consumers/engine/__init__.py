"""Exactly-once, key-ordered, concurrent consumption of one topic, for any handler.

Knows nothing of Collate. A handler sees `interface`; whoever starts an engine sees `Engine`; the rest is inside.
"""

from consumers.engine.interface import (
    UNCHANGED,
    Done,
    Handler,
    HandlerFailure,
    Invocation,
    Output,
    PartitionLost,
    Record,
    RetryAt,
    Unchanged,
)

__all__ = [
    "UNCHANGED",
    "Done",
    "Handler",
    "HandlerFailure",
    "Invocation",
    "Output",
    "PartitionLost",
    "Record",
    "RetryAt",
    "Unchanged",
]
