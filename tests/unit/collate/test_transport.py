import asyncio

from adapters.collate.connection import Limits
from adapters.collate.http_response import HttpResponse
from adapters.collate.transport import Request, Transport


class Answering:
    """A connection whose answer came in some seconds ago, while its caller had no turn."""

    usable = is_quiet = True

    def __init__(self, seconds_ago):
        self.concluded_at = asyncio.get_running_loop().time() - seconds_ago

    def exchange(self, _request, _call_ends):
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(HttpResponse(200, {}, b""))
        return answer


async def test_the_transport_says_how_long_an_answer_lay_here():
    transport = Transport("http://127.0.0.1:9", Limits(1, 1, 1, 1, 1), agent="test")
    transport._idle.append(Answering(seconds_ago=1_000.0))
    await transport.send(Request("GET", "/health"))
    assert 1_000.0 <= transport.own_delay_seconds < 2_000.0
