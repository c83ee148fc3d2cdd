"""The event streams of pages, through real sockets: browser, console, ingress."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from prometheus_client import CollectorRegistry

from console.api import Api
from console.app import create_app
from console.main import LIMITS, console_port
from console.middleware import page_recorder
from runtime.health import Health
from runtime.http_server.connections import Connections
from runtime.http_server.server import limited_protocol
from runtime.metrics import Metrics
from runtime.serving import serving
from tests.unit.console.app import console_settings

VISITS, STREAMS = 25, 20  # of one caller


@pytest.fixture
async def visit(ingress):
    """Open the stream of a page. Return its reader and its writer."""
    settings, metrics = console_settings(api_url=f"http://127.0.0.1:{ingress.port}"), Metrics(CollectorRegistry())
    recorder = page_recorder(metrics.console)
    connections = Connections("console", LIMITS, metrics, Health())
    protocol = limited_protocol(console_port(connections, recorder, encrypted=False))
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(Api(settings.console))
        app = create_app(settings, api, recorder)
        console = await stack.enter_async_context(serving(app, "127.0.0.1", 0, stop_seconds=1, http=protocol))
        writers = []

        async def open_stream():
            reader, writer = await asyncio.open_connection("127.0.0.1", console.port)
            writers.append(writer)
            head = (
                f"GET /events/stream?authorizationId=auth_1 HTTP/1.1\r\nhost: c\r\nauthorization: Bearer {ingress.key}"
            )
            writer.write(f"{head}\r\naccept: text/event-stream\r\n\r\n".encode())
            return reader, writer

        yield open_stream
        for writer in writers:
            writer.close()


async def test_a_page_that_closes_closes_its_stream_at_the_ingress(ingress, visit, eventually):
    for number in range(VISITS):
        reader, writer = await visit()
        await reader.readuntil(b"event: console:refresh")
        writer.close()
        if number % 10 == 9:  # two pages may be open while others close
            await eventually(lambda: ingress.metric("streams") == 0)
    await eventually(lambda: ingress.metric("streams") == 0)
    assert not ingress.metric("shed_total", reason="streams")


async def test_a_refused_stream_says_when_the_page_may_ask_again(ingress, visit):
    for _ in range(STREAMS):
        reader, _ = await visit()
        await reader.readuntil(b"event: console:refresh")
    reader, _ = await visit()
    assert b"\nretry: 10000\n" in await reader.readuntil(b"event: unavailable\n")
