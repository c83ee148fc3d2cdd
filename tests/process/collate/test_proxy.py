"""Calls through an outgoing proxy: the tunnel, TLS to Collate inside the tunnel, and every way in which it fails."""

import asyncio
import socket
import ssl

import pytest

from adapters.collate.answers import Ambiguous, Answered, NotSent
from adapters.http_connection.cause import Cause

AUTHORIZATION = b'{"id":"auth_1","version":17,"status":"processing"}'
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(AUTHORIZATION) + AUTHORIZATION


@pytest.fixture
def proxy(serve, proxy):
    """Start a proxy that ends before the server does, so that the server's connections have ended too."""
    return proxy


@pytest.fixture
async def server(serve, certificate):
    """A Collate behind TLS; its certificate is for localhost."""

    async def keeps_alive(exchange):
        while True:
            await exchange.request()
            await exchange.send(RESPONSE)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.num_tickets = 0
    return await serve(keeps_alive, ssl=context)


@pytest.fixture
async def through(connect, server, certificate):
    """Open a client that calls the server through a proxy."""

    async def through(url, **changes):
        values = {"base_url": f"https://localhost:{server.port}", "ca_file": certificate, "proxy": url}
        return await connect(server, **(values | changes))

    return through


async def create(client):
    return await client.create_handoff("auth_1", if_match=17, key="cg1-k", body=b"{}")


async def test_calls_use_one_tunnel_whose_bytes_the_proxy_cannot_read(proxy, through, server):
    running = proxy()
    client = await through(running.url)
    for _ in range(5):
        assert isinstance(await client.get_authorization("auth_1"), Answered)
    (connect,) = running.stop()
    target = f"localhost:{server.port}"
    assert connect == {
        "method": "CONNECT",
        "target": target,
        "headers": {"host": target, "user-agent": "collate-gateway/0.1.0"},
    }
    assert b"Authorization: Bearer sk_test_1" in server.requests[0]


async def test_plain_http_runs_through_a_tunnel_too(proxy, connect, serve):
    async def responds(exchange):
        await exchange.request()
        await exchange.send(RESPONSE)

    server, running = await serve(responds), proxy()
    client = await connect(server, proxy=running.url)
    assert isinstance(await client.get_authorization("auth_1"), Answered)
    connect_request, plain = running.stop()
    assert connect_request["method"] == "CONNECT"
    assert plain == {"plain": True}, "the proxy of these tests would notice a key that is not encrypted"


async def test_credentials_go_to_the_proxy_and_not_to_collate(proxy, through, server, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.write_text("gateway:s3:crét\n")
    client = await through(proxy("relay", "gateway:s3:crét").url, proxy_credentials_file=credentials)
    assert isinstance(await client.get_authorization("auth_1"), Answered)
    assert not any(b"proxy" in request.lower() for request in server.requests)


async def test_refused_credentials_send_nothing_until_the_file_has_the_right_ones(
    proxy, through, server, tmp_path, capsys
):
    credentials = tmp_path / "credentials"
    client = await through(proxy("relay", "gateway:right").url, proxy_credentials_file=credentials)
    assert await create(client) == NotSent(Cause.PROXY_CREDENTIALS), "the file is not there"
    credentials.write_text("gateway:wrong1")
    assert await create(client) == NotSent(Cause.PROXY_CREDENTIALS, 407)
    assert server.connections == 0
    credentials.write_text("gateway:right")
    assert isinstance(await client.get_authorization("auth_1"), Answered)
    out = capsys.readouterr()
    assert "proxy_credentials" in out.out + out.err
    assert "wrong1" not in out.out + out.err


@pytest.mark.parametrize("status", [301, 401, 403, 404, 409, 429, 500, 502, 503])
async def test_a_refusal_of_the_proxy_is_not_taken_for_collates_response(status, proxy, through, server):
    client = await through(proxy(str(status)).url)
    for result in (await create(client), await client.get_authorization("auth_1")):
        assert result == NotSent(Cause.PROXY_REFUSED, status)
    assert client.trouble is None
    assert server.connections == 0


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ("close", NotSent(Cause.PROXY_FAILED)),
        ("cut", NotSent(Cause.PROXY_FAILED)),
        ("garbage", NotSent(Cause.PROXY_FAILED)),
        ("endless", NotSent(Cause.PROXY_FAILED)),
        ("surplus", NotSent(Cause.PROXY_FAILED, 200)),
        ("accept-close", NotSent(Cause.PROXY_FAILED)),
        ("hang", NotSent(Cause.PROXY_TIMEOUT)),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_sends_nothing(behaviour, expected, proxy, through, server):
    timeouts = {"connect_timeout": "300ms"} if behaviour == "hang" else {}
    client = await through(proxy(behaviour).url, **timeouts)
    assert await create(client) == expected
    assert server.connections == 0


async def test_a_proxy_that_is_away_is_named_as_the_cause(through):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = await through(f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert await create(client) == NotSent(Cause.PROXY_UNREACHABLE)
    client = await through("http://proxy.invalid:3128")
    assert await create(client) == NotSent(Cause.PROXY_UNREACHABLE)


async def test_a_collate_that_the_proxy_cannot_reach_is_a_refusal_of_the_proxy(proxy, through):
    client = await through(proxy().url, base_url="https://localhost:1")
    assert await create(client) == NotSent(Cause.PROXY_REFUSED, 502)


async def test_a_tunnel_that_ends_after_the_request_leaves_the_write_ambiguous(proxy, through, server):
    client = await through(proxy("drop-responses").url)
    result = await create(client)
    assert isinstance(result, Ambiguous)
    assert result.cause in {Cause.RESET, Cause.CLOSED}
    assert len(server.requests) == 1


async def test_a_proxy_that_dies_leaves_the_call_under_way_ambiguous(proxy, connect, serve, certificate, eventually):
    async def never_responds(exchange):
        await exchange.request()
        await asyncio.sleep(60)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await serve(never_responds, ssl=context)
    running = proxy()
    client = await connect(
        server,
        base_url=f"https://localhost:{server.port}",
        ca_file=certificate,
        proxy=running.url,
    )
    call = asyncio.create_task(create(client))
    await eventually(lambda: server.requests)
    running.stop()
    result = await call
    assert isinstance(result, Ambiguous)
    assert result.cause in {Cause.RESET, Cause.CLOSED}
    assert await create(client) == NotSent(Cause.PROXY_UNREACHABLE)


async def test_the_certificate_is_checked_against_collates_name_behind_the_proxy(proxy, through, server):
    running = proxy()
    by_address = await through(running.url, base_url=f"https://127.0.0.1:{server.port}")
    assert await create(by_address) == NotSent(Cause.TLS)
    stranger = await through(running.url, ca_file=None)
    assert await create(stranger) == NotSent(Cause.TLS)
    assert server.requests == []


async def test_an_interrupted_tunnel_leaves_no_socket_open(proxy, through):
    client = await through(proxy("hang").url)
    call = asyncio.create_task(create(client))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
