"""The head of a response leaves with the first part of its body, and a held head is never lost."""

import asyncio
import logging
from functools import partial

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from runtime.http_server.response_cycle import ResponseCycle, ResponseWriter

LINES = b"x-content-type-options: nosniff\r\n"


class Transport:
    """A transport that records its writes."""

    def __init__(self):
        self.writes = []

    def write(self, data):
        self.writes.append(bytes(data))

    def is_closing(self):
        return False


@pytest.fixture
def transport():
    return Transport()


def cycle_of(transport, ended, method="GET", *, keep_alive=True):
    return ResponseCycle(
        scope={"method": method},
        transport=ResponseWriter(transport, lambda: ended.append(len(transport.writes)), LINES),
        flow=FlowControl(None),
        logger=logging.getLogger("test"),
        access_logger=logging.getLogger("test"),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


def start(*headers, status=200):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body, *, more_body=False):
    return {"type": "http.response.body", "body": body, "more_body": more_body}


def send(cycle, *messages):
    async def send_all():
        cycle.more_body = False
        for message in messages:
            await cycle.send(message)

    asyncio.run(send_all())


def test_a_known_body_leaves_in_one_write_with_its_head(transport):
    send(cycle_of(transport, []), start((b"content-length", b"2")), part(b"{}"))
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n" + LINES + b"\r\n{}"]


def test_the_head_of_a_stream_does_not_wait_for_its_first_part(transport):
    cycle = cycle_of(transport, [])
    send(cycle, start())
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" + LINES + b"\r\n"]
    send(cycle, part(b"one", more_body=True))
    assert transport.writes[1:] == [b"3\r\none\r\n"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204)])
def test_a_response_without_a_body_has_its_head_written(transport, method, status):
    send(cycle_of(transport, [], method), start(status=status), part(b""))
    assert len(transport.writes) == 1
    assert transport.writes[0].endswith(b"\r\n\r\n")


def test_a_held_head_is_written_before_the_connection_closes(transport):
    ended = []
    cycle = cycle_of(transport, ended, "HEAD", keep_alive=False)
    send(cycle, start((b"content-length", b"9")), part(b""))
    assert (len(transport.writes), ended) == (1, [1])


def test_a_response_that_fails_after_its_head_has_its_head_written(transport):
    ended = []
    cycle = cycle_of(transport, ended)
    with pytest.raises(RuntimeError, match="longer than Content-Length"):
        send(cycle, start((b"content-length", b"1")), part(b"too long"))
    assert transport.writes == []
    cycle.transport.close()  # as uvicorn does for an exception of the application
    assert (len(transport.writes), ended) == (1, [1])


PLAIN = [(b"content-type", b"application/json"), (b"location", b"/v1/commands/1?at=0-1"), (b"x-request-id", b"r-1")]
DATE = (b"date", b"Fri, 27 Nov 2026 04:00:00 GMT")


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (202, [*PLAIN, (b"content-length", b"2")], b"{}"),
        (404, [(b"content-length", b"0")], b""),
        (204, [*PLAIN, (b"content-length", b"0")], b""),
    ],
)
def test_a_response_has_the_bytes_of_uvicorn_and_the_lines_of_the_port(transport, status, headers, body):
    written = Transport()
    theirs = cycle_of(written, [])
    theirs.transport = written
    theirs.send = partial(RequestResponseCycle.send, theirs)
    ours = cycle_of(transport, [])
    for cycle in (ours, theirs):
        cycle.default_headers = [DATE]
        send(cycle, start(*headers, status=status), part(body))
        assert (cycle.response_complete, cycle.expected_content_length) == (True, 0)
    head, _, rest = b"".join(written.writes).partition(b"\r\n\r\n")
    assert transport.writes == [head + b"\r\n" + LINES + b"\r\n" + rest]


@pytest.mark.parametrize("value", [b"/v1\r\nset-cookie: a=b", b"a\nb", b"\x00", b"\x7f"])
def test_a_header_cannot_begin_another_line(transport, value):
    with pytest.raises(RuntimeError, match="Invalid HTTP header value"):
        send(cycle_of(transport, []), start((b"location", value), (b"content-length", b"2")), part(b"{}"))
    assert transport.writes == []


def test_a_connection_that_closes_between_head_and_body_ends_after_the_body(transport):
    ended = []
    cycle = cycle_of(transport, ended)
    send(cycle, start((b"content-length", b"2")))
    cycle.keep_alive = False  # as the server's stop does
    send(cycle, part(b"{}"))
    assert (len(transport.writes), ended) == (1, [1])


def test_a_client_that_has_left_gets_no_bytes(transport):
    cycle = cycle_of(transport, [])
    send(cycle, start((b"content-length", b"2")))
    cycle.disconnect()
    send(cycle, part(b"{}"))
    assert not cycle.response_complete


def test_a_complete_body_is_delivered_once_and_then_the_disconnect(transport):
    async def receive_twice():
        cycle = cycle_of(transport, [])
        cycle.body, cycle.more_body = bytearray(b"body"), False
        cycle.message_event.set()
        first = await cycle.receive()
        second = asyncio.ensure_future(cycle.receive())
        await asyncio.sleep(0)
        assert not second.done()
        cycle.disconnect()
        return first, await second

    delivered = {"type": "http.request", "body": b"body", "more_body": False}
    assert asyncio.run(receive_twice()) == (delivered, {"type": "http.disconnect"})
