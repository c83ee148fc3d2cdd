import asyncio

import httpx
import pytest

from adapters.collate.http.transport import CollateTransport
from adapters.http.cause import Cause
from adapters.http.connection import Limits

LIMITS = Limits(1, 1, 1, 1, 1)


class RespondedEarlier:
    """A connection whose response arrived some seconds before its caller continued."""

    usable = is_quiet = True

    def __init__(self, seconds_ago):
        self.ended_at = asyncio.get_running_loop().time() - seconds_ago

    def send(self, _request, _call_ends):
        response = asyncio.get_running_loop().create_future()
        response.set_result(httpx.Response(200))
        return response


async def test_a_response_carries_the_seconds_that_it_lay_unread_in_this_process():
    transport = CollateTransport("http://127.0.0.1:9", LIMITS)
    transport._kept.idle.append(RespondedEarlier(seconds_ago=1_000.0))
    response = await transport.handle_async_request(transport.build_request("GET", "/health"))
    assert 1_000.0 <= response.extensions["own_delay_seconds"] < 2_000.0


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2:9/health",
        "http://127.0.0.1:10/health",
        "https://127.0.0.1:9/health",
        "http://evil@127.0.0.2:9/",
    ],
)
async def test_a_request_to_another_host_is_never_sent(url):
    transport = CollateTransport("http://127.0.0.1:9", LIMITS)
    with pytest.raises(ValueError, match="another host"):
        await transport.handle_async_request(httpx.Request("GET", url))


@pytest.mark.parametrize("header", [("X", "a\r\nY: b"), ("X", "a\nb"), ("X\r\nY", "b"), ("X", "\x00"), ("X Y", "b")])
async def test_a_header_cannot_add_lines_to_the_request(header):
    transport = CollateTransport("http://127.0.0.1:9", LIMITS)
    request = transport.build_request("GET", "/health", [header])
    with pytest.raises(ValueError, match="printable ASCII"):
        await transport.handle_async_request(request)


async def test_a_body_without_a_length_is_never_sent():
    async def body():
        yield b"{}"

    transport = CollateTransport("http://127.0.0.1:9", LIMITS)
    with pytest.raises(ValueError, match="Content-Length"):
        await transport.handle_async_request(httpx.Request("POST", "http://127.0.0.1:9/", content=body()))


async def test_a_failed_call_is_an_httpx_exception_that_says_that_nothing_was_sent():
    async with httpx.AsyncClient(transport=CollateTransport("http://127.0.0.1:9", LIMITS)) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get("http://127.0.0.1:9/health")
    assert (caught.value.cause, caught.value.sent) == (Cause.REFUSED, False)


@pytest.mark.parametrize("path", ["/health HTTP/1.1\r\nX: y", "/a b", "health", ""])
async def test_a_path_cannot_add_lines_to_the_request(path):
    transport = CollateTransport("http://127.0.0.1:9", LIMITS)
    with pytest.raises(ValueError, match="percent-encoded path"):
        await transport.handle_async_request(transport.build_request("GET", path))


async def test_the_path_of_base_url_precedes_the_path_of_a_call():
    request = CollateTransport("http://127.0.0.1:9/collate/", LIMITS).build_request("GET", "/health")
    assert request.extensions["target"] == b"/collate/health"
