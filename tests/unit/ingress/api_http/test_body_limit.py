import asyncio

import pytest

from gateway.ingress.api_http.body import BodyLimit, UnfinishedBodies
from gateway.ingress.api_http.context import RequestContext
from gateway.ingress.api_http.deadlines import Deadlines


@pytest.fixture
def bodies(metrics):
    return UnfinishedBodies(Deadlines(), metrics, max_unverified=1)


@pytest.mark.parametrize("user", [None, "desk"])
async def test_a_request_that_waits_after_its_body_does_not_read_its_body(bodies, registry, user):
    context = RequestContext("r-1", {})
    context.deadline = Deadlines().start(60)
    messages = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"{}", "more_body": False})

    async def app(scope, receive, send):
        assert (await receive())["body"] == b"{}"
        departure = asyncio.create_task(receive())
        await asyncio.sleep(0)
        assert not context.is_reading_body
        bodies.enter(RequestContext("r-2", {}), is_verified=False)
        replaced = registry.get_sample_value("collate_gateway_shed_total", {"reason": "unverified_bodies"})
        assert not replaced, "the first request has no place"
        messages.put_nowait({"type": "http.disconnect"})
        assert (await departure)["type"] == "http.disconnect"

    limit = BodyLimit(app, bodies, max_bytes=10, seconds=1)
    await limit({"state": {"context": context}, "user": user, "path": "/v1/commands"}, messages.get, None)
