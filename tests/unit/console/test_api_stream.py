import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from console.api import Api, GatewayProblem, NotAnswered, operations
from console.person import SignedInPerson, SignInWay
from tests.unit.console.app import console_settings

EVENTS = operations.stream_events()
TOO_MANY = {"type": "urn:collate-gateway:problem:rate-limited", "title": "Too many streams", "detail": "Close one."}
JO = SignedInPerson("jo.miller", frozenset(), SecretStr("token"), SignInWay.oidc)


def api_of(answers):
    return Api(console_settings().console, httpx.AsyncClient(transport=httpx.MockTransport(answers)))


class Endless(httpx.AsyncByteStream):
    """A stream that sends one event and then nothing more."""

    closed = False

    async def __aiter__(self):
        yield b"data: 1\n\n"
        await asyncio.Event().wait()

    async def aclose(self):
        self.closed = True


async def test_a_stream_passes_chunks_on_and_asks_as_the_person():
    def answers(request):
        assert request.headers["authorization"] == "Bearer token"
        assert request.headers["accept"] == "text/event-stream"
        assert request.headers["last-event-id"] == "7"
        return httpx.Response(200, stream=httpx.ByteStream(b"data: 1\n\n"))

    async with api_of(answers) as api, api.stream(JO, EVENTS, {"last-event-id": "7"}) as stream:
        assert [chunk async for chunk in stream] == [b"data: 1\n\n"]


async def test_a_stream_ends_with_the_session_and_is_closed():
    body = Endless()
    soon = replace(JO, ends_at=datetime.now(UTC) + timedelta(milliseconds=50))
    async with api_of(lambda _: httpx.Response(200, stream=body)) as api, api.stream(soon, EVENTS) as stream:
        assert [chunk async for chunk in stream] == [b"data: 1\n\n"]
    assert body.closed


async def test_a_stream_whose_reader_leaves_is_closed():
    body = Endless()
    async with api_of(lambda _: httpx.Response(200, stream=body)) as api, api.stream(JO, EVENTS) as stream:
        async for _ in stream:
            break
    assert body.closed


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (httpx.Response(429, json=TOO_MANY), GatewayProblem),
        (httpx.Response(502, text="bad gateway"), NotAnswered),
        (httpx.Response(204), NotAnswered),
    ],
)
async def test_a_refused_stream_is_an_outcome(response, outcome):
    async with api_of(lambda _: response) as api, api.stream(JO, EVENTS) as stream:
        assert isinstance(stream, outcome)


async def test_an_api_that_is_away_is_an_outcome():
    def answers(_):
        raise httpx.ConnectError("refused")

    async with api_of(answers) as api, api.stream(JO, EVENTS) as stream:
        assert isinstance(stream, NotAnswered)
        assert stream.reason == "ConnectError"
