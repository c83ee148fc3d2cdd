"""How many events a batch holds, and when the next batch is sent. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from collate_gateway_client.calls import batch

MOST_EVENTS: Final = 100
MOST_BYTES: Final = 480 << 10  # the gateway accepts 512 KiB
SHORTEST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
LONGEST_WAIT_SECONDS: Final = 3600.0  # a longer Retry-After is a failure: the caller named too many unknown ids

Event = Mapping[str, Any]


def batches_of(events: Iterable[Event], most_events: int) -> Iterator[list[Event]]:
    """Split the events into batches within both bounds, in order."""
    found: list[Event] = []
    size = 0
    for event in events:
        length = len(batch([event]).body or b"")
        if found and (len(found) >= min(most_events, MOST_EVENTS) or size + length > MOST_BYTES):
            yield found
            found, size = [], 0
        found.append(event)
        size += length
    if found:
        yield found


def pause_before(excess: int, ended_per_second: float) -> float:
    """Return the seconds until so many commands are expected to end."""
    if excess <= 0:
        return 0.0
    if not ended_per_second:
        return LONGEST_PAUSE_SECONDS
    return min(max(excess / ended_per_second, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
