import pytest

from adapters.collate.transport import CollateTransport
from adapters.http_connection.cause import Cause
from adapters.http_connection.connection import Limits, NoResponse

LIMITS = Limits(1, 1, 1, 1, 1)


@pytest.mark.parametrize("header", [("X", "a\r\nY: b"), ("X", "a\nb"), ("X\r\nY", "b"), ("X", "\x00"), ("X Y", "b")])
async def test_a_header_cannot_add_lines_to_the_request(header):
    transport = CollateTransport("http://127.0.0.1:9", LIMITS)
    with pytest.raises(ValueError, match="printable ASCII"):
        await transport.call("GET", "/health", [header])


async def test_a_failed_connect_says_that_nothing_was_sent():
    with pytest.raises(NoResponse) as caught:
        await CollateTransport("http://127.0.0.1:9", LIMITS).call("GET", "/health")
    assert (caught.value.cause, caught.value.sent) == (Cause.REFUSED, False)


@pytest.mark.parametrize("path", ["/health HTTP/1.1\r\nX: y", "/a b", "health", ""])
async def test_a_path_cannot_add_lines_to_the_request(path):
    transport = CollateTransport("http://127.0.0.1:9", LIMITS)
    with pytest.raises(ValueError, match="percent-encoded path"):
        await transport.call("GET", path)
