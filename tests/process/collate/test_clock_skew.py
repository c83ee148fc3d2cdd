import time
from email.utils import formatdate

import pytest
from prometheus_client import CollectorRegistry

from adapters.collate.open_client import open_client
from local.processes.patience import within
from runtime.metrics import Metrics


@pytest.mark.parametrize("calls", ["get_authorization", "health"])
@pytest.mark.parametrize("status", [200, 404, 429, 500])
@pytest.mark.parametrize("off_seconds", [3600.0, -3600.0])
async def test_each_answer_of_collate_shows_the_skew_of_our_clock(serve, settings, calls, status, off_seconds):
    registry = CollectorRegistry()
    dates = [f"Date: {formatdate(time.time() - off_seconds, usegmt=True)}\r\n", ""]

    async def answer(exchange):
        for date in dates:
            await exchange.request()
            await exchange.send(f"HTTP/1.1 {status} OK\r\n{date}Content-Length: 2\r\n\r\n{{}}".encode())

    server = await serve(answer)
    async with open_client(settings(server.port), Metrics(registry).collate) as client:
        for _ in dates:
            async with within(30):
                await (client.health() if calls == "health" else client.get_authorization("auth_1"))
            # The second response has no Date, so the skew stays.
            shown = registry.get_sample_value("collate_gateway_collate_clock_skew_seconds")
            assert shown == pytest.approx(off_seconds, abs=5)
