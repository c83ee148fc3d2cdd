"""The result of each fault of a network or server: above all, whether anything was sent."""

import asyncio
import json
import socket
import ssl

import pytest

from adapters.collate.answers import Ambiguous, Answered, Deferred, NotSent, Refused
from adapters.collate.operations import Operation
from adapters.http_connection.cause import Cause
from local.processes.patience import within
from schemas.events.wait_reasons import HoldReason

AUTHORIZATION = b'{"id":"auth_1","version":17,"status":"processing"}'
HANDOFF = b'{"id":"mhand_1","version":1,"priorAuthorizationId":"auth_1","state":"active"}'


def http_response(status, body, *headers):
    head = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


async def create(client):
    return await client.create_handoff("auth_1", if_match=17, key="cg1-k", body=b"{}")


def speaks(*pieces, reset=False, wait=None):
    """After the request, send these pieces, then reset, or hang, or close."""

    async def script(exchange):
        await exchange.request()
        await exchange.send(*pieces)
        if wait:
            await asyncio.sleep(wait)
        if reset:
            exchange.reset()

    return script


async def keeps_alive(exchange):
    while True:
        await exchange.request()
        await exchange.send(http_response(200, AUTHORIZATION, "Set-Cookie: session=1"))


async def until_the_client_closes(exchange, closed):
    try:
        await exchange.reader.read()
    finally:
        closed.set()


async def endless(exchange):
    await exchange.request()
    await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await exchange.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")


async def endless_head(exchange):
    await exchange.request()
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.send(b"X-Pad: " + b"x" * 4096 + b"\r\n")


async def endless_informational(exchange):
    await exchange.request()
    while True:
        await exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 50)


async def slow_head(exchange):
    await exchange.request()
    for byte in http_response(200, HANDOFF):
        await exchange.send(bytes([byte]))
        await asyncio.sleep(0.05)


async def slow_body(exchange):
    await exchange.request()
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        await exchange.send(b" ")
        await asyncio.sleep(0.05)


async def resets_unread(exchange):
    await asyncio.sleep(0.02)
    exchange.reset()


async def closes_at_once(exchange):
    exchange.writer.close()


SENT = {
    "reset_without_reading": (resets_unread, {Cause.RESET, Cause.CLOSED}, None),
    "closed_without_reading": (closes_at_once, {Cause.RESET, Cause.CLOSED}, None),
    "reset_after_reading": (speaks(reset=True), {Cause.RESET, Cause.CLOSED}, None),
    "closed_after_reading": (speaks(), {Cause.CLOSED}, None),
    "hangs": (speaks(wait=60), {Cause.READ_TIMEOUT}, None),
    "slow_head": (slow_head, {Cause.DEADLINE}, None),
    "slow_body": (slow_body, {Cause.DEADLINE}, 200),
    "stalls_in_the_body": (
        speaks(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", wait=60),
        {Cause.READ_TIMEOUT},
        200,
    ),
    "truncated_body": (speaks(http_response(200, HANDOFF)[:-5]), {Cause.TRUNCATED}, 200),
    "truncated_chunks": (
        speaks(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n'),
        {Cause.TRUNCATED},
        200,
    ),
    "truncated_head": (speaks(b"HTTP/1.1 200 OK\r\nContent-"), {Cause.TRUNCATED}, None),
    "ended_by_close_but_cut": (speaks(b"HTTP/1.1 200 OK\r\n\r\n", HANDOFF[:-1]), {Cause.UNREADABLE}, 200),
    "endless_body": (endless, {Cause.TOO_LARGE}, 200),
    "endless_head": (endless_head, {Cause.TOO_LARGE}, None),
    "endless_informational": (endless_informational, {Cause.TOO_LARGE}, None),
    "not_http": (speaks(b"SSH-2.0-OpenSSH_9.2\r\n"), {Cause.MALFORMED}, None),
    "switches_protocols": (
        speaks(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        {Cause.MALFORMED},
        None,
    ),
    "html_502": (speaks(http_response(502, b"<html>Bad Gateway</html>")), {Cause.SERVER_ERROR}, 502),
    "not_utf8_200": (speaks(http_response(200, HANDOFF.replace(b"active", b"acti\xff"))), {Cause.UNREADABLE}, 200),
    "anothers_handoff": (speaks(http_response(200, HANDOFF.replace(b"auth_1", b"auth_2"))), {Cause.MISMATCHED}, 200),
    "compressed_unasked": (
        speaks(http_response(200, b"\x1f\x8b\x08\x00rest", "Content-Encoding: gzip")),
        {Cause.UNREADABLE},
        200,
    ),
}


# The first deadline may pass before a busy machine has sent the request.
TIMEOUTS = {
    Cause.READ_TIMEOUT: [{"read_timeout": "300ms"}],
    Cause.DEADLINE: [
        dict.fromkeys(("connect_timeout", "read_timeout", "total_timeout"), each) for each in ("500ms", "4s", "30s")
    ],
}


@pytest.mark.parametrize("name", SENT)
async def test_a_write_without_a_response_is_ambiguous(name, serve, connect):
    script, causes, status = SENT[name]
    server = await serve(script)
    for timeouts in TIMEOUTS.get(*causes, [{}]) if len(causes) == 1 else [{}]:
        result = await create(await connect(server, **timeouts))
        if not isinstance(result, NotSent):
            break
    assert isinstance(result, Ambiguous), result
    assert result.cause in causes
    assert result.status == status


async def test_a_refused_connection_is_certainly_not_sent(connect):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = await connect(taken.getsockname()[1])
        assert await create(client) == NotSent(Cause.REFUSED)


async def test_a_name_that_does_not_resolve_is_not_sent(connect):
    client = await connect(0, base_url="http://collate.invalid")
    assert await create(client) == NotSent(Cause.DNS)


async def test_a_connection_that_is_never_accepted_sends_nothing(connect):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(1)]
        waiting += [socket.socket() for _ in range(4)]
        for extra in waiting[1:]:
            extra.setblocking(False)
            extra.connect_ex(("127.0.0.1", port))
        client = await connect(port, connect_timeout="200ms")
        result = await create(client)
        for extra in waiting:
            extra.close()
        assert result == NotSent(Cause.CONNECT_TIMEOUT)


async def test_an_untrusted_certificate_sends_nothing(serve, connect, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await serve(speaks(http_response(200, HANDOFF)), ssl=context)
    stranger = await connect(server, base_url=f"https://localhost:{server.port}")
    assert await create(stranger) == NotSent(Cause.TLS)
    by_address = await connect(server, base_url=f"https://127.0.0.1:{server.port}", ca_file=certificate)
    assert await create(by_address) == NotSent(Cause.TLS), "the name must be verified too"
    assert server.requests == []
    friend = await connect(server, base_url=f"https://localhost:{server.port}", ca_file=certificate)
    assert isinstance(await create(friend), Answered)


async def test_a_tls_connection_is_reused(serve, connect, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await serve(keeps_alive, ssl=context)
    client = await connect(server, base_url=f"https://localhost:{server.port}", ca_file=certificate)
    for _ in range(10):
        assert isinstance(await client.get_authorization("auth_1"), Answered)
    assert server.connections <= 2, "session tickets behind the first response may cost one connection"


async def test_a_server_without_tls_gets_nothing(serve, connect):
    server = await serve(speaks(http_response(200, HANDOFF)))
    client = await connect(server, base_url=f"https://localhost:{server.port}", connect_timeout="300ms")
    assert isinstance(await create(client), NotSent)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(status, serve, connect):
    elsewhere = await serve(speaks(http_response(200, HANDOFF)))
    server = await serve(
        speaks(
            http_response(status, b"", f"Location: http://127.0.0.1:{elsewhere.port}/v1/prior-authorizations/auth_1")
        )
    )
    client = await connect(server)
    for result in (await create(client), await client.get_authorization("auth_1")):
        assert result == Ambiguous(Cause.REDIRECT, status)
    assert elsewhere.connections == 0


async def test_no_cookie_is_kept_and_no_proxy_of_the_environment_is_used(serve, connect, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server = await serve(keeps_alive)
    client = await connect(server)
    for _ in range(3):
        assert isinstance(await client.get_authorization("auth_1"), Answered)
    assert server.connections == 1, "the connection is kept alive"
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_the_bytes_of_a_request_are_exactly_these(serve, connect):
    server = await serve(speaks(http_response(200, HANDOFF)))
    client = await connect(server)
    await client.create_handoff("auth_1", if_match=17, key="cg1-k", body=b'{"a":1}')
    assert server.requests[0].replace(str(server.port).encode(), b"PORT") == (
        b"POST /v1/prior-authorizations/auth_1/manual-handoffs HTTP/1.1\r\n"
        b"Host: 127.0.0.1:PORT\r\nUser-Agent: collate-gateway/0.1.0\r\n"
        b"Accept: application/json\r\nAccept-Encoding: identity\r\n"
        b'Authorization: Bearer sk_test_1\r\nIf-Match: "17"\r\nIdempotency-Key: cg1-k\r\n'
        b'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )


async def test_a_second_response_is_never_taken_for_the_next_requests(serve, connect):
    second = AUTHORIZATION.replace(b'"version":17', b'"version":99')

    async def says_too_much(exchange):
        await exchange.request()
        await exchange.send(http_response(200, AUTHORIZATION) + http_response(200, second))
        await exchange.request()
        await exchange.send(http_response(200, AUTHORIZATION))

    server = await serve(says_too_much)
    client = await connect(server)
    for _ in range(3):
        result = await client.get_authorization("auth_1")
        assert isinstance(result, Answered)
        assert result.model.version == 17
    assert server.connections == 3


async def test_bytes_on_an_idle_connection_are_never_a_response(serve, connect):
    answered, closed = asyncio.Event(), asyncio.Event()

    async def times_out_idle(exchange):
        await exchange.request()
        await exchange.send(http_response(200, AUTHORIZATION))
        await answered.wait()
        await exchange.send(http_response(408, b"<html>idle</html>", "Connection: close"))
        await until_the_client_closes(exchange, closed)

    server = await serve(times_out_idle)
    client = await connect(server)
    assert isinstance(await client.get_authorization("auth_1"), Answered)
    answered.set()
    async with within(10):
        await closed.wait()
    assert isinstance(await client.get_authorization("auth_1"), Answered)
    assert server.connections == 2


async def test_a_connection_that_closed_while_idle_is_not_reused(serve, connect):
    server = await serve(speaks(http_response(200, AUTHORIZATION)))
    client = await connect(server)
    for expected in range(1, 50):
        assert isinstance(await client.get_authorization("auth_1"), Answered)
        assert server.connections == expected


async def test_an_informational_response_is_skipped(serve, connect):
    server = await serve(
        speaks(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n", http_response(201, HANDOFF))
    )
    client = await connect(server)
    assert isinstance(await create(client), Answered)


async def test_a_body_that_ends_with_the_connection_is_accepted_if_valid(serve, connect):
    server = await serve(speaks(b"HTTP/1.0 200 OK\r\n\r\n", HANDOFF))
    client = await connect(server)
    assert isinstance(await create(client), Answered)


async def test_a_refusal_before_the_whole_body_is_sent_is_a_result(serve, connect):
    async def refuses_early(exchange):
        await exchange.reader.readuntil(b"\r\n\r\n")
        await exchange.send(http_response(413, b'{"error":{"code":"too_big"}}', "Connection: close"))
        await asyncio.sleep(0.2)

    server = await serve(refuses_early)
    client = await connect(server)
    result = await client.create_handoff("auth_1", if_match=1, key="k", body=b" " * 8_000_000)
    assert result == Refused(413, "too_big")


async def test_a_request_that_is_never_read_ends_by_the_write_timeout(serve, connect):
    async def never_reads(exchange):
        exchange.writer.transport.pause_reading()
        await asyncio.sleep(60)

    server = await serve(never_reads)
    client = await connect(server, read_timeout="300ms")
    result = await client.create_handoff("auth_1", if_match=1, key="k", body=b" " * 16_000_000)
    assert result == Ambiguous(Cause.WRITE_TIMEOUT)


async def test_cancelling_a_call_closes_its_connection_and_returns_its_ticket(serve, connect, eventually):
    closed = asyncio.Event()

    async def answers_only_the_second(exchange):
        await exchange.request()
        if exchange.server.connections == 1:
            await until_the_client_closes(exchange, closed)
        await exchange.send(http_response(201, HANDOFF))

    server = await serve(answers_only_the_second)
    client = await connect(server, concurrency=1)
    call = asyncio.create_task(create(client))
    await eventually(lambda: server.requests)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with within(10):
        await closed.wait()
    assert isinstance(await create(client), Answered)
    assert server.connections == 2


async def test_only_the_used_fields_of_an_error_are_kept(serve, connect, capsys):
    body = {
        "error": {
            "code": "version_conflict",
            "message": "Jane Doe's authorization changed",
            "retryable": False,
            "details": {"expectedVersion": 2, "actualVersion": 3, "patient": "Jane Doe"},
            "issues": [{"message": "Jane Doe"}],
        },
        "requestId": "req_42",
    }
    server = await serve(speaks(http_response(409, json.dumps(body).encode())))
    client = await connect(server)
    result = await create(client)
    assert result == Refused(
        409, "version_conflict", retryable=False, request_id="req_42", expected_version=2, actual_version=3
    )
    out = capsys.readouterr()
    assert "req_42" in out.out + out.err
    assert "Jane" not in out.out + out.err


async def test_a_grants_link_is_only_in_its_secret_field(serve, connect, capsys):
    grant = b'{"id":"rag_secret1","url":"https://x/runtime/access/rag_secret1","expiresAt":"2030-01-01T00:00:00Z"}'
    server = await serve(speaks(http_response(201, grant)))
    client = await connect(server)
    result = await client.mint_grant("auth_1", "mhand_1", key="cg1-k")
    assert isinstance(result, Answered)
    assert result.model.url.get_secret_value().endswith("rag_secret1")
    assert "rag_secret1" not in repr(result)
    assert result.body == b""
    assert b"Content-Length: 0\r\n" in server.requests[0]
    out = capsys.readouterr()
    assert "rag_secret1" not in out.out + out.err


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("all", [True, True, True]), ("create_only", [True, False, False]), ("none", [False, False, False])],
)
async def test_a_setting_limits_the_writes_with_an_idempotency_key(serve, connect, setting, expected):
    server = await serve(speaks(http_response(409, b'{"error":{"code":"version_conflict"}}')))
    client = await connect(server, send_idempotency_key=setting)
    await create(client)
    await client.close_handoff("auth_1", "mhand_1", Operation.REVOKE, if_match=3, key="cg1-k", body=b"{}")
    await client.mint_grant("auth_1", "mhand_1", key="cg1-k")
    carried = [b"Idempotency-Key: cg1-k\r\n" in request for request in server.requests]
    assert carried == expected
    assert b'If-Match: "3"\r\n' in server.requests[1]


async def test_health_sends_no_key(serve, connect):
    server = await serve(speaks(http_response(200, b"ok")))
    client = await connect(server)
    assert isinstance(await client.health(), Answered)
    assert b"Authorization" not in server.requests[0]


async def test_without_a_key_nothing_is_sent(serve, connect, tmp_path):
    server = await serve(speaks(http_response(200, AUTHORIZATION)))
    client = await connect(server, api_key_file=tmp_path / "absent")
    result = await client.get_authorization("auth_1")
    assert isinstance(result, Deferred)
    assert result.reason is HoldReason.CREDENTIALS
    assert client.trouble is HoldReason.CREDENTIALS
    assert server.connections == 0


@pytest.mark.parametrize("identifier", ["", "..", "a/b", "a?b", "a%2fb", "a b", "a\r\nX: y", "ä", "a" * 129])
async def test_no_path_is_built_from_a_malformed_id(identifier, connect):
    client = await connect(9)
    with pytest.raises(ValueError, match="expected 1 to 128"):
        await client.get_authorization(identifier)
