"""The state of a key: the event whose delivery has failed so far. A key without such an event has no state.

Its JSON: `{"offset": 7, "since": 1700000000.0}`.
"""

from pydantic import FiniteFloat, ValidationError

from schemas.model import Model, Public


class PendingDelivery(Model):
    """The event at `offset` was first tried at `since` (Unix seconds) without success."""

    offset: Public[int]
    since: Public[FiniteFloat]


def read_pending(state: bytes | None, offset: int) -> PendingDelivery | None:
    """Return the pending delivery of the event at this offset; None if the state is of another event, or unreadable.

    Without a state the time of the event begins again, so it is retried longer, never shorter.
    """
    try:
        found = None if state is None else PendingDelivery.from_record(state)
    except ValidationError:
        return None
    return found if found is not None and found.offset == offset else None
