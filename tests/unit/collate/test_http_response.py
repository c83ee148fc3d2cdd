"""Parsing a response from bytes, for every split of the bytes."""

import weakref
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http_connection.cause import Cause
from adapters.http_connection.http_response import HEAD_LIMIT, HttpResponseReader

WITH_LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nRetry-After: 3\r\nX-Other: y\r\n\r\nhello"
IN_CHUNKS = (
    b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n"
)
INFORMED = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n" + WITH_LENGTH
WITHOUT_BODY = b"HTTP/1.1 204 No Content\r\n\r\n"
CLOSING = b"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"

WHOLE = {
    WITH_LENGTH: ((200, {"retry-after": "3"}, b"hello"), True),
    IN_CHUNKS: ((201, {}, b"hello"), True),
    INFORMED: ((200, {"retry-after": "3"}, b"hello"), True),
    WITHOUT_BODY: ((204, {}, b""), True),
    CLOSING: ((500, {}, b"{}"), False),
}


def parts(response):
    """The status, the kept headers and the body."""
    assert isinstance(response, httpx.Response), response
    return response.status_code, dict(response.headers), response.read()


def cut(data, at):
    edges = [0, *sorted(at), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if b > a]


@given(st.sampled_from(list(WHOLE)), st.lists(st.integers(0, 150), max_size=20))
def test_a_response_is_the_same_for_every_split_of_its_bytes(data, at):
    reader = HttpResponseReader(100)
    results = [reader.feed(piece) for piece in cut(data, [min(a, len(data)) for a in at])]
    reply, reusable = WHOLE[data]
    assert results[:-1] == [None] * (len(results) - 1)
    assert parts(results[-1]) == reply
    assert reader.reusable is reusable


@given(st.sampled_from([WITH_LENGTH, IN_CHUNKS]), st.integers(0, 200))
def test_a_truncated_response_is_never_complete(data, at):
    reader = HttpResponseReader(100)
    part = data[: min(at, len(data) - 1)]
    if part:
        assert reader.feed(part) is None
    assert reader.end() is (Cause.TRUNCATED if part else Cause.CLOSED)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_no_bytes_make_the_reader_raise(data, at):
    reader = HttpResponseReader(100)
    for piece in cut(data, [min(a, len(data)) for a in at]):
        if reader.feed(piece) is not None:
            break
    assert isinstance(reader.end(), httpx.Response | Cause)


@given(st.sampled_from([WITH_LENGTH, IN_CHUNKS, CLOSING]), st.binary(min_size=1, max_size=50))
def test_surplus_bytes_never_change_the_response(data, surplus):
    reader = HttpResponseReader(100)
    assert parts(reader.feed(data + surplus)) == WHOLE[data][0]


@given(st.sampled_from([WITH_LENGTH, IN_CHUNKS, WITHOUT_BODY]))
def test_a_second_response_makes_the_connection_unusable(data):
    reader = HttpResponseReader(100)
    reader.feed(data + WITH_LENGTH)
    assert not reader.reusable


def test_only_the_headers_that_the_gateway_reads_are_kept():
    reader = HttpResponseReader(100)
    reply = reader.feed(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nX-Request-Id: req_1\r\nX-Patient: Jane\r\nContent-Length: 0\r\n\r\n"
    )
    assert parts(reply) == (200, {"x-request-id": "req_1"}, b"")


def test_a_body_one_byte_over_the_limit_is_too_large():
    for framing in (b"Content-Length: 11\r\n\r\n" + b"x" * 11, b"Transfer-Encoding: chunked\r\n\r\nb\r\n" + b"x" * 11):
        assert HttpResponseReader(11).feed(b"HTTP/1.1 200 OK\r\n" + framing) != Cause.TOO_LARGE
        assert HttpResponseReader(10).feed(b"HTTP/1.1 200 OK\r\n" + framing) is Cause.TOO_LARGE


def test_memory_for_an_endless_response_is_bounded():
    reader = HttpResponseReader(1_000)
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    fed = 0
    while reader.feed(b"1\r\nx\r\n" * 100) is None:
        fed += 600
    assert fed <= 2 * 1_000 + HEAD_LIMIT + 1_200


def test_the_parser_rejects_ambiguous_framing():
    for bad in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n",
    ):
        assert HttpResponseReader(100).feed(bad) is Cause.MALFORMED, bad


@pytest.mark.parametrize("data", [*WHOLE, b"not HTTP"])
def test_a_response_that_was_read_leaves_no_reference_cycle(data):
    reader = HttpResponseReader(100)
    assert reader.feed(data) is not None
    gone = weakref.ref(reader)
    del reader
    assert gone() is None
