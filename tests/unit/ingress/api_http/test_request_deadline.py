"""The words of a request that took too long fit the request: a read keeps nothing."""

import asyncio
import json

import pytest

from gateway.ingress.api_http.api_middleware import RequestDeadline
from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.deadlines import Deadlines


async def hangs(scope, receive, send):
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("method", "detail"),
    [
        ("GET", "The read could not be answered in time. It changed nothing. Please try again in a few seconds."),
        (
            "POST",
            "It is unknown whether the command was accepted. Send the same request with the same key again.",
        ),
    ],
)
async def test_a_request_that_hangs_gets_words_for_its_method(method, detail):
    deadlines, sent = Deadlines(), []
    sweeping = asyncio.create_task(deadlines.run())
    scope = {"type": "http", "method": method, "state": {"context": RequestContext("r1", {})}, "headers": []}

    async def send(message):
        sent.append(message)

    try:
        await asyncio.wait_for(RequestDeadline(hangs, deadlines, seconds=0.01)(scope, None, send), 10)
    finally:
        sweeping.cancel()
    assert sent[0]["status"] == 504
    assert json.loads(sent[1]["body"])["detail"] == detail
