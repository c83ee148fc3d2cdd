import pytest

from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.request import wait_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        (b"wait=10", 10),
        (b"Wait = 10", 10),
        (b'wait="10"', 10),
        (b"respond-async, wait=5", 5),
        (b"wait=5, wait=9", 5),
        (b"wait=5; foo=bar", 5),
        (b"wait=100", 30),
        (b"wait=0", 0),
        (b"wait", 0),
        (b"wait=-1", 0),
        (b"wait=1.5", 0),
        (b"wait=99999999999", 0),
        (b"await=5", 0),
        (b"\xff\xfe", 0),
        (b"", 0),
    ],
)
def test_a_wait_preference_is_read_and_any_other_is_ignored(header, seconds):
    headers = {} if header is None else {b"prefer": header}
    assert wait_seconds(RequestContext("r", headers)) == seconds
