"""Exactly-once, key-ordered, concurrent consumption of one topic, for any handler.

Knows nothing of Collate. A handler sees `interface`; whoever starts an engine sees `Engine`; the rest is inside.
"""

from consumers.engine.interface import (
    UNCHANGED,
    Again,
    Done,
    Handler,
    Lost,
    Output,
    Record,
    Turn,
    Unchanged,
    Wait,
)

__all__ = ["UNCHANGED", "Again", "Done", "Handler", "Lost", "Output", "Record", "Turn", "Unchanged", "Wait"]
