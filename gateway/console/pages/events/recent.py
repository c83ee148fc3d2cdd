"""The newest events, read from the stream: it begins at a position a little before the end.

So the list needs no read model. The read is bounded in records and time, and by the API's bound of streams.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from gateway.console.api import Failure, NotAnswered, operations
from gateway.console.page import console_of, person_of
from gateway.console.views.events import EventFrames, ListedEvent, before, has_reached, is_position, listed_event

ROWS: Final = 50
_BACK: Final = 50  # records of each partition, without a filter
_BACK_FILTERED: Final = 1_000
_MOST_EVENTS: Final = 2_000
_FIRST_SECONDS: Final = 2.0
_QUIET_SECONDS: Final = 0.4
_WHOLE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class RecentEvents:
    """The events that were read, oldest first. `is_whole` is False if the time or the bound ended the read."""

    events: list[ListedEvent]
    is_whole: bool


async def recent_events(request: Request, query: operations.StreamEventsQuery, caller: str) -> RecentEvents | Failure:
    """Read the newest events that match. The API's stream has no filter by caller."""
    api, person = console_of(request).api, person_of(request)
    call = operations.stream_events(query)
    async with api.stream(person, call) as opened:
        if isinstance(opened, Failure):
            return opened
        end = await _position(opened)
    if end is None:
        return NotAnswered("the event stream has no position")
    start = before(end, _BACK_FILTERED if caller or any(query.values()) else _BACK)
    if start == end:
        return RecentEvents([], is_whole=True)
    async with api.stream(person, call, {"Last-Event-ID": start}) as opened:
        if isinstance(opened, Failure):
            return opened
        return await _until_quiet(opened, end, caller)


async def _position(chunks: AsyncIterator[bytes]) -> str | None:
    frames = EventFrames()
    try:
        async with asyncio.timeout(_FIRST_SECONDS):
            async for chunk in chunks:
                for frame in frames.feed(chunk):
                    if frame.id is not None and is_position(frame.id):
                        return frame.id
    except (TimeoutError, ValueError):
        return None
    return None


async def _until_quiet(chunks: AsyncIterator[bytes], end: str, caller: str) -> RecentEvents:
    """Read until the position is at the end, or no event arrives for a moment."""
    frames, found, pieces = EventFrames(), list[ListedEvent](), aiter(chunks)
    wait = _FIRST_SECONDS
    try:
        async with asyncio.timeout(_WHOLE_SECONDS):
            while len(found) < _MOST_EVENTS:
                async with asyncio.timeout(wait):
                    chunk = await anext(pieces)
                for frame in frames.feed(chunk):
                    if (event := listed_event(frame)) is not None:
                        found += [event] if event.is_of(caller) else []
                        wait = _QUIET_SECONDS
                    if frame.id is not None and is_position(frame.id) and has_reached(frame.id, end):
                        return RecentEvents(found, is_whole=True)
    except (TimeoutError, StopAsyncIteration, ValueError):
        return RecentEvents(found, is_whole=bool(found))
    return RecentEvents(found, is_whole=False)
