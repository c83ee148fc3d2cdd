"""GET /events/stream: the one event stream of a page. It only says that something changed, once a second at most.

A part of the gateway that fails is a change too: pages with a stream poll so seldom that they would say it late.

The page then fetches its part again. It passes on the `id` of the gateway's stream. So a browser that reconnects,
for example after its tab was hidden, also receives changes that it missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from console.api import Failure, GatewayProblem, operations
from console.page import console_of, person_of
from console.updates import FRESH_SECONDS, read_freshness
from console.views.events import EventFrames, is_position
from schemas.enums import PREFIX
from schemas.fields.scalars import is_id

SHORTEST_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 15.0
# The page asks again after so long, if the API refused the stream and did not say when.
REFUSED_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 5.0
_HEADERS: Final = {"x-accel-buffering": "no"}


async def stream(request: Request) -> Response:
    """Return the stream. If the API refuses, the stream reports the refusal and ends."""
    last = request.headers.get("last-event-id", "")
    authorization_id = request.query_params.get("authorizationId", "")
    query: operations.StreamEventsQuery = {"authorizationId": [authorization_id] if is_id(authorization_id) else []}
    return StreamingResponse(
        _changes(request, query, last if is_position(last) else None),
        media_type="text/event-stream",
        headers=_HEADERS,
    )


@dataclass(slots=True)
class LatestChange:
    """The newest position, and whether something changed since the last message."""

    id: str = ""
    has_changed: bool = False
    is_over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


async def _changes(request: Request, query: operations.StreamEventsQuery, last: str | None) -> AsyncIterator[bytes]:
    headers = {} if last is None else {"Last-Event-ID": last}
    call = operations.stream_events(query)
    async with console_of(request).api.stream(person_of(request), call, headers) as opened:
        if isinstance(opened, Failure):
            asked = opened.retry_after_seconds if isinstance(opened, GatewayProblem) else None
            yield b"retry: %d\nevent: unavailable\ndata: \n\n" % (
                1_000 * max(SHORTEST_SECONDS, asked or REFUSED_SECONDS)
            )
            return
        latest = LatestChange()
        tasks = [asyncio.create_task(_read(opened, latest)), asyncio.create_task(_watch_parts(request, latest))]
        try:
            async for message in coalesced(latest):
                yield message
        finally:
            for task in tasks:
                task.cancel()
            # Starlette cancels this task again at each `await`. An `await` of the tasks would pass that on, and end the
            # close of the API's stream: the ingress would serve it for an hour.
            with anyio.CancelScope(shield=True):
                await asyncio.wait(tasks, timeout=CLOSE_SECONDS)


async def _read(chunks: AsyncIterator[bytes], latest: LatestChange) -> None:
    frames = EventFrames()
    try:
        async for chunk in chunks:
            for frame in frames.feed(chunk):
                latest.id = frame.id or latest.id
                latest.has_changed = latest.has_changed or frame.name.startswith(PREFIX)
                if frame.id is not None or frame.name:
                    latest.news.set()
    except ValueError:
        pass  # a frame beyond the bound: the browser connects again
    finally:
        latest.is_over = True
        latest.news.set()


async def _watch_parts(request: Request, latest: LatestChange) -> None:
    """Report what `read_freshness` says newly: a part of the gateway has failed, or works again."""
    known = (await read_freshness(request)).mark
    while True:
        await asyncio.sleep(FRESH_SECONDS)
        before, known = known, (await read_freshness(request)).mark
        if known != before:
            latest.has_changed = True
            latest.news.set()


async def coalesced(latest: LatestChange, clock: Callable[[], float] = time.monotonic) -> AsyncIterator[bytes]:
    """Yield messages for the browser: a change at once, then once a second at most; positions in between."""
    # Changes between the page and the start of its stream are in neither, so the page fetches its part once.
    yield b"retry: 3000\nevent: console:refresh\ndata: \n\n"
    sent_at = clock()
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await latest.news.wait()
        except TimeoutError:
            yield b": still here\n\n"
            continue
        pause = sent_at + SHORTEST_SECONDS - clock()
        if latest.has_changed and pause > 0 and not latest.is_over:
            await asyncio.sleep(pause)
        latest.news.clear()
        has_changed, latest.has_changed = latest.has_changed, False
        head = f"id: {latest.id}\n".encode() if latest.id else b""
        if has_changed:
            sent_at = clock()
            yield head + b"event: console:refresh\ndata: \n\n"
        elif head:
            yield head + b"\n"
        if latest.is_over:
            return


ROUTES = [Route("/events/stream", stream, methods=["GET"])]
