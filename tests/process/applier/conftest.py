"""A key queue whose client talks to the real simulated Collate over sockets."""

import pytest
from prometheus_client import CollectorRegistry

from adapters.collate.open_client import open_client
from local.collate import Options, SimulatedCollate, named
from runtime.metrics import Metrics
from runtime.settings import CollateSettings
from schemas.commands import AuthorizationWatch, Completed, HandoffClose, HandoffRequest
from schemas.enums import ReportedOutcome
from tests.process.key_queue import KeyQueue


class FusedCollate:
    """The client with two await points in each call: before the request leaves, and after the response."""

    def __init__(self, client, fuse):
        self._client = client
        self._fuse = fuse
        self.calls = []
        self.turns = set()

    def __getattr__(self, name):
        call = getattr(self._client, name)

        async def fused(*args, **kwargs):
            self._fuse.point()
            self.calls.append((name, kwargs.get("key")))
            self.turns.add((name, kwargs.get("caller"), kwargs.get("priority")))
            result = await call(*args, **kwargs)
            self._fuse.point()
            return result

        return fused


@pytest.fixture
async def sim():
    async with SimulatedCollate(Options(seed=7)) as simulated:
        yield simulated


@pytest.fixture
def collate_settings():
    """The settings that a test module changes for its client."""
    return {}


@pytest.fixture
def hasty():
    """Marks a test in which a call times out. Elsewhere no call does, also on a busy machine."""


@pytest.fixture
async def connected(sim, tmp_path, collate_settings, monkeypatch, request):
    """A client of the simulated Collate with a large budget."""
    key = tmp_path / "key"
    key.write_text("local-collate-key")
    settings = CollateSettings(
        base_url=sim.url,
        api_key_file=key,
        allow_plain_http=True,
        calls_per_second=1e6,
        concurrency=64,
        read_timeout="0.2s" if "hasty" in request.fixturenames else "60s",
        connect_timeout="60s",
        total_timeout="60s",
        **collate_settings,
    )
    monkeypatch.setattr("adapters.collate.open_client.BREAKER_FAILURES", 1_000_000)
    async with open_client(settings, Metrics(CollectorRegistry()).collate, monotonic=sim.now) as client:
        yield client


@pytest.fixture
def make_queue(sim, connected):
    """Make queues. After the test, their records break none of the rules of `gateway check promises`."""
    made = []

    def make(*profile, authorization_id=None, limits=None, readings=None, **wanted):
        if profile or readings:
            sim.state.profile = named(profile, readings or {})
        authorization_id = authorization_id or sim.create(**wanted)[0]
        more = {} if limits is None else {"limits": limits}
        made.append(KeyQueue(sim, lambda queue: FusedCollate(connected, queue.fuse), authorization_id, **more))
        return made[-1]

    yield make
    for queue in made:
        assert queue.is_state_forged or queue.violations() == []


@pytest.fixture
def apply_late(hasty):
    """Apply a command whose first write arrives after its call has timed out and the next invocation has ended."""

    async def apply(queue, data, **matching):
        holding = queue.sim.fault("hold", method="POST", when="before", count=1, **matching)
        command = queue.send(data)
        while not holding.struck:
            await queue.invoke()
        queue.pass_until(queue.retry_at)
        await queue.invoke()
        holding.release()
        await queue.drain()
        return command

    return apply


@pytest.fixture
def request_():
    return HandoffRequest


@pytest.fixture
def close():
    def make(handoff_id, outcome="submitted", **more):
        return HandoffClose(handoff_id=handoff_id, result=Completed(reported_outcome=ReportedOutcome(outcome), **more))

    return make


@pytest.fixture
def watch():
    return AuthorizationWatch
