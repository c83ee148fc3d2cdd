"""The state of a key: the event whose delivery has failed so far. A key without such an event has no state.

Its JSON: `{"offset": 7, "since": 1700000000.0}`.
"""

import math
from dataclasses import dataclass

from pydantic_core import from_json, to_json


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """The event at `offset` was first tried at `since` (Unix seconds) without success."""

    offset: int
    since: float

    def encode(self) -> bytes:
        """Return the bytes that Kafka stores."""
        return to_json({"offset": self.offset, "since": self.since})


def read_pending(state: bytes | None, offset: int) -> PendingDelivery | None:
    """Return the pending delivery of the event at this offset; None if the state is of another event, or unreadable.

    Without a state the time of the event begins again, so it is retried longer, never shorter.
    """
    if state is None:
        return None
    try:
        members = from_json(state)
        found = PendingDelivery(int(members["offset"]), float(members["since"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return found if found.offset == offset and math.isfinite(found.since) else None
