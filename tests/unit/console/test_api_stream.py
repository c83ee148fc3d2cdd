import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr

from gateway.console.api import Api, ApiStream
from gateway.console.outcomes import ApiNotReached, ApiRefusal
from gateway.console.person import SignedInPerson, SignInWay
from tests.unit.console.app import console_settings

JO = SignedInPerson("jo.miller", frozenset(), SecretStr("token"), SignInWay.oidc)


def api_of(answers):
    return Api(console_settings().console, httpx.MockTransport(answers))


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

    async with api_of(answers) as api, api.stream(JO, "/v1/events", headers={"last-event-id": "7"}) as stream:
        assert isinstance(stream, ApiStream)
        assert [chunk async for chunk in stream.chunks] == [b"data: 1\n\n"]


async def test_a_stream_ends_with_the_session_and_is_closed():
    body = Endless()
    soon = replace(JO, ends_at=datetime.now(UTC) + timedelta(milliseconds=50))
    async with api_of(lambda _: httpx.Response(200, stream=body)) as api, api.stream(soon, "/v1/events") as stream:
        assert [chunk async for chunk in stream.chunks] == [b"data: 1\n\n"]
    assert body.closed


async def test_a_stream_whose_reader_leaves_is_closed():
    body = Endless()
    async with api_of(lambda _: httpx.Response(200, stream=body)) as api, api.stream(JO, "/v1/events") as stream:
        async for _ in stream.chunks:
            break
    assert body.closed


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (httpx.Response(429, json={"title": "Too many streams", "status": 429, "detail": "Close one."}), ApiRefusal),
        (httpx.Response(502, text="bad gateway"), ApiNotReached),
        (httpx.Response(204), ApiNotReached),
    ],
)
async def test_a_refused_stream_is_an_outcome(response, outcome):
    async with api_of(lambda _: response) as api, api.stream(JO, "/v1/events") as stream:
        assert isinstance(stream, outcome)


async def test_an_api_that_is_away_is_an_outcome():
    def answers(_):
        raise httpx.ConnectError("refused")

    async with api_of(answers) as api, api.stream(JO, "/v1/events") as stream:
        assert stream == ApiNotReached("refused")
