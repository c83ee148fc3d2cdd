"""The event stream of a page."""

import asyncio
import json

import httpx
import pytest

from console import updates
from console.pages.events.stream import FRESH_SECONDS, LatestChange, coalesced
from tests.unit.console.acting.test_workbench_pages import ScriptedApi, problem
from tests.unit.console.answers import overview
from tests.unit.console.app import browser, console_app, me

pytestmark = pytest.mark.virtual_time

KIND = "collate-gateway.handoff.closed.v1"


def frame(number, subject="auth_1", kind=KIND, position="5.9"):
    event = {
        "subject": subject,
        "time": f"2026-11-26T03:10:{number:02}Z",
        "sequence": str(number),
        "data": {"by": "us"},
    }
    return f"id: {position}\nevent: {kind}\ndata: {json.dumps(event)}\n\n".encode()


def events_api(*frames):
    """An API whose stream is at position 5.9 and has these events."""

    async def pieces(*all_of_them):
        for piece in all_of_them:
            yield piece

    def stream(request):
        if "last-event-id" not in request.headers:
            return httpx.Response(200, content=pieces(b"retry: 2000\nid: 5.9\n: connected\n\n"))
        return httpx.Response(200, content=pieces(b"id: 0.0\n: connected\n\n", *frames))

    return ScriptedApi(**{"GET /v1/events": stream})


async def ask(path, api, headers=None):
    api.answers["GET /me"] = lambda request: me(request, ("authorization:read",))
    async with browser(console_app(api)) as client:
        return await client.get(path, headers=headers)


async def test_a_malformed_id_filters_nothing():
    api = events_api()
    await ask("/events/stream?authorizationId=../y", api)
    assert all(not call.url.query for call in api.sent("/v1/events"))


async def test_the_stream_only_says_that_something_changed():
    api = events_api(frame(1), frame(2))
    answer = await ask("/events/stream?authorizationId=auth_1", api, {"last-event-id": "4.8"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert api.sent("/v1/events")[0].headers["last-event-id"] == "4.8"
    assert "auth_1" not in answer.text
    assert "id: 5.9" in answer.text
    assert answer.text.count("event: console:refresh") <= 2


async def test_a_stream_that_is_not_opened_says_so_and_ends():
    api = ScriptedApi(**{"GET /v1/events": problem(503, "overloaded")})
    answer = await ask("/events/stream", api)
    assert answer.status_code == 200
    assert "event: unavailable" in answer.text


async def test_a_part_of_the_gateway_that_fails_is_a_change(monkeypatch):
    """A workbench polls each 15 s: with the time to notice a fault, its sentence would come after half a minute."""
    monkeypatch.setattr(updates, "FRESH_SECONDS", 0.0)
    faults = iter([["no_worker"], ["no_worker"], [], []])

    async def some_seconds(first):
        yield first
        await asyncio.sleep(4 * FRESH_SECONDS)

    api = events_api()
    api.answers["GET /v1/events"] = lambda _: httpx.Response(200, content=some_seconds(b"id: 5.9\n: connected\n\n"))
    api.answers["GET /overview"] = lambda _: overview(faults=next(faults, []))
    answer = await ask("/events/stream?authorizationId=auth_1", api)
    assert answer.text.count("event: console:refresh") == 2


async def test_changes_are_sent_once_a_second_at_most():
    latest, times = LatestChange(), []

    async def follow():
        clock = asyncio.get_running_loop().time
        async for message in coalesced(latest, clock):
            times.extend([clock()] * (b"console:refresh" in message))

    task = asyncio.create_task(follow())
    for _ in range(25):
        latest.id, latest.has_changed = "1.2", True
        latest.news.set()
        await asyncio.sleep(0.05)
    task.cancel()
    assert len(times) == 2
    assert times[1] - times[0] == pytest.approx(1.0, abs=0.3)
