"""Python's garbage collector in a process with many long-lived objects."""

import gc
from typing import Final

# An invocation, a request or a batch allocates hundreds of objects and almost no cycles. With 10,000 a worker that
# drains a backlog spent a tenth of its time in the collector; above 50,000 nothing more is gained.
_THRESHOLD: Final = 50_000


def tune_gc(threshold: int = _THRESHOLD) -> None:
    """Exclude all objects that exist now from collection, and collect less often. Call it once, after start-up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(threshold)
