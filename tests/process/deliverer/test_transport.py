"""Connections to receivers: which address is called, and what a hostile receiver can do."""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path

import pytest

from adapters.webhooks.addresses import AddressPolicy
from consumers.deliverer.delivery import Delivered, NotDelivered, ReceiverGone
from local.processes.patience import within
from local.webhook_receiver import Reply, always

CERTIFICATE = Path(__file__).parents[1] / "collate" / "localhost.pem"


async def test_an_event_is_delivered_on_one_connection_after_another(receiver, connect, send):
    transport = connect(receiver.url)
    for sequence in range(1, 4):
        assert await send(transport, sequence) == Delivered(204)
    assert [one.sequence for one in receiver.requests] == [1, 2, 3]
    assert not receiver.bad


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(200), Delivered(200)),
        (Reply(299, body=b"thank you"), Delivered(299)),
        (Reply(200, body=b"x" * 1_000_000), Delivered(200)),
        (Reply(410), ReceiverGone()),
        (Reply(301, {"location": "http://127.0.0.1:1/"}), NotDelivered("redirect", 301)),
        (Reply(308, {"location": "/other"}), NotDelivered("redirect", 308)),
        (Reply(404), NotDelivered("status_4xx", 404)),
        (Reply(404, {"retry-after": "7"}), NotDelivered("status_4xx", 404, 7.0)),
        (Reply(429, {"retry-after": "7"}), NotDelivered("status_4xx", 429, 7.0, holds_all=True)),
        (Reply(503, {"retry-after": "999999"}), NotDelivered("status_5xx", 503, 3600.0, holds_all=True)),
        (Reply(503), NotDelivered("status_5xx", 503, None, holds_all=True)),
        (Reply(500, body=b"x" * 1_000_000), NotDelivered("status_5xx", 500)),
        (Reply(raw=b"HTTP/1.1 banana\r\n\r\n"), NotDelivered("malformed")),
        (Reply(raw=b""), NotDelivered("closed")),
        (Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"), NotDelivered("truncated", 200)),
    ],
)
async def test_responses(receiver, connect, send, reply, outcome):
    receiver.behave = always(reply)
    assert await send(connect(receiver.url)) == outcome
    assert len(receiver.requests) == 1


async def test_a_receiver_that_never_answers_costs_its_timeout(receiver, connect, send):
    receiver.behave = always(Reply(hangs=True))
    async with within(2):
        assert await send(connect(receiver.url, read_seconds=0.3)) == NotDelivered("read_timeout")


async def test_a_response_that_drips_is_bounded(receiver, connect, send):
    async def drip(reader, writer):
        with contextlib.closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"1\r\nx\r\n")
                await asyncio.sleep(0.02)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await send(connect(f"http://127.0.0.1:{port}/", total_seconds=0.4, read_seconds=0.2))
    assert outcome.result in {"deadline", "read_timeout"}


async def test_a_connection_that_was_closed_while_idle_costs_no_failure(receiver, connect, send):
    transport = connect(receiver.url)
    assert await send(transport) == Delivered(204)
    for writer in list(receiver._writers):
        writer.close()
    assert await send(transport) == Delivered(204)


async def test_a_connection_that_closes_on_the_next_request_costs_no_failure(receiver, connect, send):
    transport = connect(receiver.url)
    assert await send(transport) == Delivered(204)
    replies = iter([Reply(raw=b""), Reply()])
    receiver.behave = lambda received: next(replies)
    assert await send(transport) == Delivered(204)
    assert len(receiver.requests) == 3


async def test_no_address_is_called_that_the_policy_forbids(receiver, connect, send):
    transport = connect(receiver.url, policy=AddressPolicy())
    assert await send(transport) == NotDelivered("forbidden_address")
    assert not receiver.requests


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["10.0.0.1", "127.0.0.1"], ["0.0.0.0"]],
)
async def test_a_name_that_leads_to_a_forbidden_address_is_refused(receiver, connect, send, answers):
    url = f"http://hooks.example:{receiver.port}/"
    transport = connect(url, policy=AddressPolicy(), lookup=lambda host, port: answers)
    assert await send(transport) == NotDelivered("forbidden_address")
    assert not receiver.requests


async def test_dns_rebinding_gains_nothing(receiver, connect, send):
    """The name changes after each lookup. The address that was checked is the one that is called."""
    asked = []

    def rebind(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    url = f"http://hooks.example:{receiver.port}/"
    receiver.behave = always(Reply(headers={"connection": "close"}))
    transport = connect(url, lookup=rebind)
    assert await send(transport) == Delivered(204)
    assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"
    assert await send(transport) == NotDelivered("forbidden_address")
    assert asked == ["hooks.example"] * 2, "one lookup for each connection"
    assert len(receiver.requests) == 1


async def test_only_the_checked_addresses_of_a_name_are_called(receiver, connect, send):
    url = f"http://hooks.example:{receiver.port}/"
    transport = connect(url, lookup=lambda host, port: ["169.254.169.254", "10.0.0.1", "127.0.0.1"])
    assert await send(transport) == Delivered(204)


async def test_the_next_address_is_tried_if_one_refuses(receiver, connect, send):
    url = f"http://hooks.example:{receiver.port}/"
    transport = connect(url, lookup=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    assert await send(transport) == Delivered(204)


async def test_a_slow_lookup_is_bounded_and_shared(connect, send):
    asked, is_over = [], threading.Event()

    def slow(host, port):
        asked.append(host)
        is_over.wait(60)
        return ["127.0.0.1"]

    transport = connect("http://hooks.example:1999/", lookup=slow, connect_seconds=0.2)
    outcomes = await asyncio.gather(*(send(transport) for _ in range(5)))
    is_over.set()
    assert set(outcomes) == {NotDelivered("connect_timeout")}
    assert len(asked) == 1


async def test_an_unknown_name_is_not_delivered(connect, send):
    assert await send(connect("http://does-not-exist.invalid:8000/")) == NotDelivered("dns")


async def test_tls_checks_the_name_of_the_url_not_the_address(connect, send):
    async def accept(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]

        def here(host, port):
            return ["127.0.0.1"]

        right = connect(f"https://localhost:{port}/", lookup=here, ca_file=CERTIFICATE)
        wrong = connect(f"https://hooks.example:{port}/", lookup=here, ca_file=CERTIFICATE)
        unknown = connect(f"https://localhost:{port}/", lookup=here)
        assert await send(right) == Delivered(204)
        assert await send(wrong) == NotDelivered("tls")
        assert await send(unknown) == NotDelivered("tls")
