"""The events page and the stream of a page."""

import asyncio
import json

import httpx
import pytest

from gateway.console.pages.events.stream import LatestChange, coalesced
from tests.unit.console.acting.test_workbench_pages import ScriptedApi, problem
from tests.unit.console.app import browser, console_app, me

pytestmark = pytest.mark.virtual_time

KIND = "collate-gateway.handoff.closed.v1"


def frame(number, subject="auth_1", kind=KIND, position="5.9", **data):
    event = {
        "subject": subject,
        "time": f"2026-11-26T03:10:{number:02}Z",
        "sequence": str(number),
        "data": {"by": "us"} | data,
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


async def ask(path, api, headers=None, permissions=("authorization:read",)):
    api.answers["GET /me"] = lambda request: me(request, permissions)
    async with browser(console_app(api)) as client:
        return await client.get(path, headers=headers)


async def test_the_page_comes_at_once_and_asks_for_its_list(monkeypatch):
    api = events_api()
    page = await ask(f"/events?type={KIND}&authorizationId=auth_1", api)
    assert api.sent("/v1/events") == []
    assert "Show the newest events" in page.text  # without scripts
    assert f'hx-sse:connect="/events/stream?type={KIND}&amp;authorizationId=auth_1"' in page.text


async def test_the_list_reads_a_little_before_the_end_and_shows_the_newest_first():
    api = events_api(frame(1, position="4.9"), frame(2, "auth_2"))
    page = await ask("/events?show=list", api)
    assert [call.headers.get("last-event-id") for call in api.sent("/v1/events")] == [None, "0.0"]
    assert page.text.index("auth_2") < page.text.index("auth_1")


async def test_the_events_of_a_caller_are_listed_alone_and_the_page_follows_them_only():
    own, other = frame(1, "auth_own", caller="intake", position="4.8"), frame(2, "auth_other", caller="billing")
    page = await ask("/events?show=list&caller=intake", events_api(own, other, frame(3, "auth_of_nobody")))
    assert "auth_own" in page.text
    assert "auth_other" not in page.text
    assert "auth_of_nobody" not in page.text
    assert 'hx-sse:connect="/events/stream?caller=intake"' in page.text
    assert '<noscript><a class="button" href="/events?show=list&amp;caller=intake">Refresh' in page.text
    for frames, changes in (((own, other), 2), ((other,), 1)):
        answer = await ask("/events/stream?caller=intake", events_api(*frames), {"last-event-id": "4.7"})
        assert answer.text.count("event: console:refresh") == changes


async def test_an_unknown_type_and_a_malformed_id_filter_nothing():
    api = events_api()
    await ask("/events?show=list&type=x&authorizationId=../y", api)
    assert all(not call.url.query for call in api.sent("/v1/events"))


async def test_a_refused_stream_is_a_problem_with_a_way_on():
    api = ScriptedApi(**{"GET /v1/events": problem(503, "overloaded")})
    page = await ask("/events?show=list", api)
    assert page.status_code == 503
    assert "Try again" in page.text


async def test_without_the_permission_nothing_is_asked():
    api = events_api()
    page = await ask("/events?show=list", api, permissions=())
    assert (page.status_code, api.sent("/v1/events")) == (403, [])


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
