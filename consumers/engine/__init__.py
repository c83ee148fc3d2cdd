"""Exactly-once, key-ordered, concurrent processing of one Kafka topic, for any handler.

The engine knows nothing of Collate. A handler imports this package; the process that runs an engine imports `engine`,
`settings` and `status`.
"""

from consumers.engine.interface import (
    UNCHANGED,
    Done,
    Failure,
    Handler,
    HandlerFailure,
    Invocation,
    OnCommit,
    Output,
    PartitionLost,
    PartitionView,
    Passing,
    Record,
    RetryAt,
    Turn,
    Unchanged,
)
