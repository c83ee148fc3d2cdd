"""Two processes that Collate asks to wait: each learns it from its own calls alone, and soon stops calling."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from adapters.collate.answers import Deferred
from adapters.collate.call_policy.calls import Priority
from adapters.collate.open_client import open_client
from local.collate import Options, SimulatedCollate
from runtime.metrics import Metrics
from runtime.settings import CollateSettings

AUTHORIZATIONS = 20
MOST_CALLS_PER_PROCESS = 3


@pytest.mark.parametrize("status", [429, 503])
async def test_calls_before_the_end_of_retry_after_are_bounded_per_process(tmp_path, status):
    key = tmp_path / "key"
    key.write_text("local-collate-key")
    async with SimulatedCollate(Options(seed=7)) as sim:
        settings = CollateSettings(base_url=sim.url, api_key_file=key, allow_plain_http=True, calls_per_second=1e6)
        ids = sim.create(count=AUTHORIZATIONS)
        sim.fault("answer", method="GET", status=status, code="overloaded", retryAfter="30")
        async with (
            open_client(settings, Metrics(CollectorRegistry()).collate) as ingress,
            open_client(settings, Metrics(CollectorRegistry()).collate) as worker,
        ):
            sent = 0
            for authorization_id in ids:
                results = await asyncio.gather(
                    ingress.get_authorization(authorization_id, priority=Priority.LIVE),
                    worker.get_authorization(authorization_id, priority=Priority.COMMAND),
                )
                sent += sum(not isinstance(result, Deferred) for result in results)
            assert sent <= 2 * MOST_CALLS_PER_PROCESS
            assert all(result.wait_seconds > 20.0 for result in results)
